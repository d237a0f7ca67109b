import { createHmac } from "node:crypto";
import * as v from "valibot";
import { appError } from "../../core/errors.ts";

/**
 * A backup of an archive is a folder with the same files, which stay encrypted as they are, and beside them
 * - `backup.sha256`: a line a file, as sha256sum writes and checks it: digest, two spaces, name;
 * - `backup.json`: the digest of that list, and a seal by a key derived from the data key. It is written last: a
 *   folder without it holds no finished backup.
 */
export const listName = "backup.sha256";
export const sealName = "backup.json";

const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const contentSchema = v.object({
  format: v.literal(1),
  madeAt: v.string(),
  schemaVersion: count,
  studies: count,
  images: count,
  files: count,
  bytes: count,
  /** Of `backup.sha256`. */
  list: digest,
});
export type BackupContent = v.InferOutput<typeof contentSchema>;

const sealedSchema = v.object({ ...contentSchema.entries, seal: digest });

export function sealBackup(key: Uint8Array, content: BackupContent): string {
  return `${JSON.stringify({ ...content, seal: sealOf(key, content) }, null, 2)}\n`;
}

/** @throws backup-damaged, also where the key is another's; archive-too-new */
export function openSeal(key: Uint8Array, text: string): BackupContent {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    throw backupDamaged(`${sealName} cannot be read.`, thrown);
  }
  const format = (value as { format?: unknown } | null)?.format;
  if (typeof format === "number" && format > 1) {
    throw appError(
      "archive-too-new",
      "This backup was made by a newer version of the app. Install that version.",
    );
  }
  const parsed = v.safeParse(sealedSchema, value);
  if (!parsed.success) throw backupDamaged(`${sealName} is not as it was written.`);
  const { seal, ...content } = parsed.output;
  if (seal !== sealOf(key, content)) {
    throw backupDamaged(`the key does not fit it, or ${sealName} was changed.`);
  }
  return content;
}

export interface ListedFile {
  /** With forward slashes. */
  readonly name: string;
  readonly sha256: string;
}

export function listLine({ name, sha256 }: ListedFile): string {
  return `${sha256}  ${name}\n`;
}

const line = /^([0-9a-f]{64}) {2}(archive\.db|archive\.pages|objects\/[0-9a-f]{2}\/[0-9a-f]{32}\.obj)$/;

/** Only names that a backup writes: a forged list leads nowhere else. @throws backup-damaged */
export function parseListLine(text: string): ListedFile {
  const found = line.exec(text);
  if (!found) throw backupDamaged(`${listName} names a file that no backup has.`);
  return { sha256: found[1]!, name: found[2]! };
}

/** `why` ends the sentence "This backup cannot be restored:". */
export function backupDamaged(why: string, cause?: unknown): Error {
  return appError("backup-damaged", `This backup cannot be restored: ${why} Use another backup.`, cause);
}

function sealOf(key: Uint8Array, content: BackupContent): string {
  // The order of the members is that of the schema, whatever the file has.
  const ordered = Object.keys(contentSchema.entries).map((name) => [
    name,
    content[name as keyof BackupContent],
  ]);
  return createHmac("sha256", key).update(JSON.stringify(ordered)).digest("hex");
}
