import { type AppError, appError } from "../../core/errors.ts";

/** The index of the archive is not what was written. */
export function archiveDamaged(cause?: unknown): AppError {
  return appError(
    "archive-damaged",
    "The archive's index is damaged: it is not what the app wrote. Restore the data folder from a backup.",
    cause,
  );
}
