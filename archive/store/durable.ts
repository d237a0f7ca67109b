import { open } from "node:fs/promises";
import { fileSystemError } from "../../core/file-errors.ts";

/** Makes renames and removals in a folder durable. Windows has no such call and keeps them in its journal. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Runs work that writes to the data folder; its failures come out as `disk-full` and `read-only`. */
export async function naming<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    throw fileSystemError(thrown) ?? thrown;
  }
}
