/**
 * The one table of named errors. Every failure that a user or a caller can meet stands here with the HTTP status
 * it has over a door and the exit code it has in the CLI. Anything else becomes `internal`: its cause goes to the
 * log only, so that file paths and patient data never leak into an answer.
 */

/** Exit codes: 2 usage, 3 bad input, 4 not supported, 5 not found, 6 cancelled, 70 internal. */
export const errorTable = {
  usage: { status: 400, exit: 2 },
  "bad-request": { status: 400, exit: 2 },
  "unknown-procedure": { status: 404, exit: 2 },
  unauthorized: { status: 401, exit: 2 },
  forbidden: { status: 403, exit: 2 },

  "bad-input": { status: 422, exit: 3 },
  "not-dicom": { status: 422, exit: 3 },
  "dicom-damaged": { status: 422, exit: 3 },
  "pixel-data-missing": { status: 422, exit: 3 },
  "pixel-data-truncated": { status: 422, exit: 3 },
  "pixel-data-damaged": { status: 422, exit: 3 },
  "image-damaged": { status: 422, exit: 3 },
  "zip-damaged": { status: 422, exit: 3 },
  "dicomdir-damaged": { status: 422, exit: 3 },
  "backup-damaged": { status: 422, exit: 3 },
  "too-large": { status: 413, exit: 3 },
  "ambiguous-series": { status: 422, exit: 3 },
  "question-too-long": { status: 422, exit: 3 },
  "model-file-damaged": { status: 422, exit: 3 },
  "pack-damaged": { status: 422, exit: 3 },
  "pack-untrusted": { status: 403, exit: 3 },
  "wrong-passphrase": { status: 403, exit: 3 },
  "wrong-recovery-key": { status: 403, exit: 3 },

  "not-supported": { status: 415, exit: 4 },
  "transfer-syntax-not-supported": { status: 415, exit: 4 },
  "photometric-not-supported": { status: 415, exit: 4 },
  "architecture-not-supported": { status: 415, exit: 4 },
  "archive-too-new": { status: 415, exit: 4 },
  "provider-not-available": { status: 415, exit: 4 },
  "key-store-not-available": { status: 415, exit: 4 },

  "not-found": { status: 404, exit: 5 },
  "file-not-found": { status: 404, exit: 5 },
  "study-not-found": { status: 404, exit: 5 },
  "frame-not-found": { status: 404, exit: 5 },
  "answer-not-found": { status: 404, exit: 5 },
  "pack-not-found": { status: 404, exit: 5 },

  cancelled: { status: 499, exit: 6 },

  "archive-in-use": { status: 409, exit: 70 },
  "archive-locked": { status: 423, exit: 70 },
  "archive-damaged": { status: 500, exit: 70 },
  "disk-full": { status: 507, exit: 70 },
  "read-only": { status: 507, exit: 70 },
  "process-lost": { status: 503, exit: 70 },
  "stream-cut": { status: 502, exit: 70 },
  "out-of-memory": { status: 507, exit: 70 },
  "model-failed": { status: 500, exit: 70 },
  internal: { status: 500, exit: 70 },
} as const satisfies Record<string, { status: number; exit: number }>;

export type ErrorCode = keyof typeof errorTable;

/** What crosses a door or a process border: never a stack, never a cause. */
export interface ErrorRecord {
  readonly code: ErrorCode;
  readonly message: string;
}

/** A failure with a name. `message` is shown to the user: plain words that say what to do. */
export class AppError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "AppError";
    this.code = code;
  }
}

export function appError(code: ErrorCode, message: string, cause?: unknown): AppError {
  return new AppError(code, message, cause);
}

export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(errorTable, code);
}

/** Any thrown value as an AppError. What has no name becomes `internal` and keeps its cause for the log only. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (thrown instanceof Error && thrown.name === "AbortError")
    return appError("cancelled", "Cancelled.", thrown);
  return appError(
    "internal",
    "Something went wrong inside the app. Try again; the log holds details.",
    thrown,
  );
}

export function errorRecord(thrown: unknown): ErrorRecord {
  const { code, message } = toAppError(thrown);
  return { code, message };
}

export function errorFromRecord(record: { code: string; message: string }): AppError {
  return appError(isErrorCode(record.code) ? record.code : "internal", record.message);
}

/** Throws `cancelled` when the signal has fired; call it between steps of long work. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw appError("cancelled", "Cancelled.");
}
