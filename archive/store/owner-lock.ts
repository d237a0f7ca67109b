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
  let lock: Libsql.Database | null = null;
  try {
    lock = new Libsql(path.join(folder, "archive.lock"), { timeout: 0 });
    lock.exec("BEGIN EXCLUSIVE");
  } catch (thrown) {
    lock?.close();
    throw refusal(thrown);
  }
  const held = lock;
  return {
    release() {
      held.exec("ROLLBACK");
      held.close();
    },
  };
}

function refusal(thrown: unknown): Error {
  const code = String((thrown as { code?: unknown }).code);
  if (code.startsWith("SQLITE_BUSY")) {
    return appError(
      "archive-in-use",
      "This archive is open in another window or program. Close it there first.",
      thrown,
    );
  }
  const readOnly = appError(
    "read-only",
    "The data folder cannot be written to. Check its permissions.",
    thrown,
  );
  return fileSystemError(thrown) ?? (code === "SQLITE_CANTOPEN" ? readOnly : (thrown as Error));
}
