import path from "node:path";
import Libsql from "libsql";
import { appError } from "../../core/errors.ts";
import { fileSystemError } from "../../core/file-errors.ts";

/**
 * One process owns an archive. The lock is the operating system's, taken through SQLite (an exclusive transaction
 * on an empty file beside the archive): it goes when its process does, however that ends, so it is never stale.
 * @throws archive-in-use, read-only
 */
export function takeOwnerLock(folder: string): { release(): void } {
  const lock = new Libsql(path.join(folder, "archive.lock"), { timeout: 0 });
  try {
    lock.exec("BEGIN EXCLUSIVE");
  } catch (thrown) {
    lock.close();
    throw (
      fileSystemError(thrown) ??
      appError(
        "archive-in-use",
        "This archive is open in another window or program. Close it there first.",
        thrown,
      )
    );
  }
  return {
    release() {
      lock.exec("ROLLBACK");
      lock.close();
    },
  };
}
