import { randomBytes } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import path from "node:path";
import { fileSystemError } from "../../core/file-errors.ts";

/**
 * Replaces `file` by `text` so that a power cut leaves the old or the new content, never a part. The file is
 * readable by its owner alone (0600), its folder likewise where it is made here.
 * @throws disk-full, read-only
 */
export async function atomicWrite(file: string, text: string): Promise<void> {
  const folder = path.dirname(file);
  const temporary = path.join(folder, `.${path.basename(file)}.${randomBytes(6).toString("hex")}`);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const handle = await open(temporary, "wx", 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    await syncFolder(folder);
  } catch (thrown) {
    await rm(temporary, { force: true });
    throw fileSystemError(thrown) ?? thrown;
  }
}

/** Makes a rename durable. Windows has no such call: renames there are in the journal already. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
