import { readFile } from "node:fs/promises";
import path from "node:path";
import * as v from "valibot";
import { appError } from "../core/errors.ts";
import type { PackTrust } from "../core/model-pack.ts";

const appName = "meditron-imaging-assistant";

/** policy.json, by which IT says what this machine does; docs/it-guide.md describes it. */
const policySchema = v.strictObject({
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

/**
 * Whose signatures count for packs; null: no policy says. A policy that cannot be read is an error and never no policy.
 * @throws bad-input
 */
export async function readPackTrust(files: readonly string[]): Promise<PackTrust | null> {
  for (const file of files) {
    const text = await readFile(file, "utf8").catch((cause: unknown) => {
      const code = (cause as { code?: unknown }).code;
      if (code === "ENOENT" || code === "ENOTDIR") return null;
      throw policyError(cause);
    });
    if (text !== null) return trustOf(text, path.dirname(file));
  }
  return null;
}

async function trustOf(text: string, folder: string): Promise<PackTrust | null> {
  let packs: v.InferOutput<typeof policySchema>["packs"];
  try {
    ({ packs } = v.parse(policySchema, JSON.parse(text)));
  } catch (cause) {
    throw policyError(cause);
  }
  if (packs === undefined) return null;
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
