import { type AppError, appError } from "./errors.ts";

/**
 * The name of a failure of the file system while the app writes its own files, by the `code` that Node gives it;
 * null where it has none. A path that the user gave (import) is the caller's to name.
 */
export function fileSystemError(thrown: unknown): AppError | null {
  switch ((thrown as { code?: unknown } | null)?.code) {
    case "ENOSPC":
    case "EDQUOT":
    case "SQLITE_FULL":
      return appError(
        "disk-full",
        "The disk is full. Make room and try again; nothing was left half-written.",
        thrown,
      );
    case "EROFS":
    case "EACCES":
    case "EPERM":
    case "SQLITE_READONLY":
      return appError(
        "read-only",
        "The data folder cannot be written to. Check its disk and permissions.",
        thrown,
      );
    default:
      return null;
  }
}
