import { randomBytes } from "node:crypto";
import { lstat, readFile, realpath } from "node:fs/promises";
import path from "node:path";
import * as v from "valibot";
import { appError } from "../../core/errors.ts";
import { atomicWrite } from "./atomic-write.ts";

/**
 * A file with one random key for each archive of this user, readable by the owner alone and kept outside the data
 * folder: a copied or stolen data folder is then of no use without it.
 */

const keyFileSchema = v.object({
  format: v.literal(1),
  keys: v.record(v.string(), v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
});
type KeyFile = v.InferOutput<typeof keyFileSchema>;

/** @throws archive-locked where the file or the archive's entry is missing, forbidden where it is not safe to use */
export async function readKeyFile(
  file: string,
  options: { dataFolder: string; archive: string },
): Promise<Buffer> {
  await refuseInside(file, options.dataFolder);
  const key = (await load(file))?.keys[options.archive];
  if (key === undefined) {
    throw appError(
      "archive-locked",
      "The key file of this archive is missing. Put it back, or use the recovery key.",
    );
  }
  return Buffer.from(key, "hex");
}

/** Adds a key for the archive; the keys of other archives stay. */
export async function addToKeyFile(
  file: string,
  options: { dataFolder: string; archive: string },
): Promise<Buffer> {
  await refuseInside(file, options.dataFolder);
  const keys = (await load(file))?.keys ?? {};
  const key = randomBytes(32);
  const content: KeyFile = { format: 1, keys: { ...keys, [options.archive]: key.toString("hex") } };
  await atomicWrite(file, `${JSON.stringify(content, null, 2)}\n`);
  return key;
}

async function load(file: string): Promise<KeyFile | null> {
  const facts = await lstat(file).catch((thrown: unknown) => {
    if ((thrown as { code?: unknown }).code === "ENOENT") return null;
    throw thrown;
  });
  if (!facts) return null;
  const shared = process.platform !== "win32" && (facts.mode & 0o077) !== 0;
  if (!facts.isFile() || shared || facts.uid !== (process.getuid?.() ?? facts.uid)) {
    throw appError(
      "forbidden",
      "The key file can be read by others. Make it a plain file of your own with mode 0600 (chmod 600).",
    );
  }
  try {
    return v.parse(keyFileSchema, JSON.parse(await readFile(file, "utf8")));
  } catch (thrown) {
    throw appError("archive-locked", "The key file is damaged. Restore it, or use the recovery key.", thrown);
  }
}

/** A key beside the data it protects protects nothing. */
async function refuseInside(file: string, dataFolder: string): Promise<void> {
  const relative = path.relative(await resolved(dataFolder), await resolved(file));
  if (relative === "" || (!relative.startsWith("..") && !path.isAbsolute(relative))) {
    throw appError("forbidden", "The key file must lie outside the data folder.");
  }
}

/** The real path, links followed, also of what does not exist yet. */
async function resolved(file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch {
    const parent = path.dirname(path.resolve(file));
    return parent === path.resolve(file) ? parent : path.join(await resolved(parent), path.basename(file));
  }
}
