import { createHash } from "node:crypto";
import * as v from "valibot";
import { untrusted } from "./trust.ts";

/** OpenSSF Model Signing v1.0: an in-toto statement whose predicate lists every file of the model. */

export const payloadType = "application/vnd.in-toto+json";
const statementType = "https://in-toto.io/Statement/v1";
const predicateType = "https://model_signing/signature/v1.0";

export interface SignedFile {
  /** With "/" between folders. */
  readonly path: string;
  /** Hex. */
  readonly sha256: string;
}

const hexSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const statementSchema = v.object({
  _type: v.literal(statementType),
  subject: v.strictTuple([v.object({ name: v.string(), digest: v.object({ sha256: hexSchema }) })]),
  predicateType: v.literal(predicateType),
  predicate: v.object({
    serialization: v.object({ method: v.literal("files"), hash_type: v.literal("sha256") }),
    resources: v.pipe(
      v.array(v.object({ name: v.string(), algorithm: v.literal("sha256"), digest: hexSchema })),
      v.maxLength(65_536),
    ),
  }),
});

/** The payload to sign. `ignored` are files of the folder that the signature does not speak for. */
export function writeStatement(
  name: string,
  files: readonly SignedFile[],
  ignored: readonly string[],
): Uint8Array {
  const sorted = files.toSorted((a, b) => compareParts(a.path.split("/"), b.path.split("/")));
  const statement = {
    _type: statementType,
    subject: [{ name, digest: { sha256: rootDigest(sorted) } }],
    predicateType,
    predicate: {
      serialization: { method: "files", hash_type: "sha256", allow_symlinks: false, ignore_paths: ignored },
      resources: sorted.map(({ path, sha256 }) => ({ name: path, algorithm: "sha256", digest: sha256 })),
    },
  };
  return new TextEncoder().encode(JSON.stringify(statement));
}

/** Digests by path. @throws pack-untrusted */
export function readStatement(payload: Uint8Array): ReadonlyMap<string, string> {
  const { subject, predicate } = parseStatement(payload);
  const files = predicate.resources.map(({ name, digest }) => ({ path: name, sha256: digest }));
  if (rootDigest(files) !== subject[0].digest.sha256) throw untrusted("its list of files contradicts itself");
  const digests = new Map(files.map(({ path, sha256 }) => [path, sha256]));
  if (digests.size !== files.length) throw untrusted("it lists a file twice");
  return digests;
}

function parseStatement(payload: Uint8Array): v.InferOutput<typeof statementSchema> {
  try {
    return v.parse(statementSchema, JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload)));
  } catch (cause) {
    throw untrusted("it is not one of OpenSSF Model Signing v1.0 over whole files with SHA-256", cause);
  }
}

function rootDigest(files: readonly SignedFile[]): string {
  const hash = createHash("sha256");
  for (const { sha256 } of files) hash.update(Buffer.from(sha256, "hex"));
  return hash.digest("hex");
}

/** Folder by folder, as Python sorts paths. */
function compareParts(a: readonly string[], b: readonly string[]): number {
  const at = a.findIndex((part, i) => part !== b[i]);
  if (at < 0) return a.length - b.length;
  const [left, right] = [a[at] as string, b[at]];
  return right === undefined || left > right ? 1 : -1;
}
