import { readFile } from "node:fs/promises";
import path from "node:path";
import * as v from "valibot";
import { appError } from "../core/errors.ts";
import type { PackTrust } from "../core/model-pack.ts";

const appName = "meditron-imaging-assistant";

/** policy.json, by which IT says what this machine does; docs/it-guide.md describes it. */
const policySchema = v.strictObject({
  /** A folder with the files for NVIDIA's cards, by its whole path. */
  cuda: v.optional(v.strictObject({ folder: v.string() })),
  packs: v.optional(
    v.strictObject({
      unsigned: v.optional(v.picklist(["allow", "refuse"]), "refuse"),
      /** Files, beside policy.json or by their whole path. */
      keys: v.optional(v.array(v.string()), []),
      certificates: v.optional(v.array(v.string()), []),
    }),
  ),
});

type Environment = Readonly<Record<string, string | undefined>>;

/** Where policies lie, the first that exists counts: the machine's, which users cannot write, then MEDITRON_POLICY. */
export function policyFiles(env: Environment, platform: NodeJS.Platform = process.platform): string[] {
  const machine =
    platform === "win32"
      ? path.join(env["PROGRAMDATA"] ?? "C:\\ProgramData", appName)
      : platform === "darwin"
        ? path.join("/Library/Application Support", appName)
        : path.join("/etc", appName);
  const own = env["MEDITRON_POLICY"];
  return [path.join(machine, "policy.json"), ...(own === undefined || own === "" ? [] : [path.resolve(own)])];
}

/** What the policy of a machine says; null: it says nothing about it. */
export interface Policy {
  /** Whose signatures count for packs. */
  readonly trust: PackTrust | null;
  /** Where IT has put the files for NVIDIA's cards. */
  readonly cudaFolder: string | null;
}

/** A policy that cannot be read is an error and never no policy. @throws bad-input */
export async function readPolicy(files: readonly string[]): Promise<Policy> {
  for (const file of files) {
    const text = await readFile(file, "utf8").catch((cause: unknown) => {
      const code = (cause as { code?: unknown }).code;
      if (code === "ENOENT" || code === "ENOTDIR") return null;
      throw policyError(cause);
    });
    if (text === null) continue;
    const { packs, cuda } = parsePolicy(text);
    const trust = packs === undefined ? null : await trustOf(packs, path.dirname(file));
    return { trust, cudaFolder: cuda?.folder ?? null };
  }
  return { trust: null, cudaFolder: null };
}

type PolicyFile = v.InferOutput<typeof policySchema>;

function parsePolicy(text: string): PolicyFile {
  try {
    return v.parse(policySchema, JSON.parse(text));
  } catch (cause) {
    throw policyError(cause);
  }
}

async function trustOf(packs: NonNullable<PolicyFile["packs"]>, folder: string): Promise<PackTrust> {
  const { unsigned } = packs;
  const [keys, certificates] = await Promise.all([
    readPemFiles(packs.keys.map((name) => path.resolve(folder, name))),
    readPemFiles(packs.certificates.map((name) => path.resolve(folder, name))),
  ]);
  return { unsigned, keys, certificates };
}

/** @throws file-not-found, too-large */
export async function readPemFiles(files: readonly string[]): Promise<string[]> {
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(file, "utf8").catch((cause: unknown) => {
        throw appError("file-not-found", `The file ${path.basename(file)} cannot be read.`, cause);
      });
      if (text.length > 1024 * 1024)
        throw appError("too-large", `${path.basename(file)} is too large for a key.`);
      return text;
    }),
  );
}

function policyError(cause: unknown): Error {
  return appError(
    "bad-input",
    "The policy of this machine cannot be read. Ask whoever looks after it.",
    cause,
  );
}
