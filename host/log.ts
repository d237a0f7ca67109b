import { appendFileSync, mkdirSync, renameSync, statSync } from "node:fs";
import path from "node:path";

/**
 * The log file: one JSON object a line; at 1 MiB the file becomes `app.1.log` and a new one starts. It holds
 * names of procedures, error codes and stack traces of our own code; never a question, an answer, a header value
 * or a path.
 */
export interface Log {
  write(entry: LogEntry): void;
}

export interface LogEntry {
  readonly where: string;
  readonly what: string;
  readonly cause?: unknown;
}

const maxBytes = 1024 * 1024;

export function createLog(folder: string): Log {
  const file = path.join(folder, "app.log");
  let broken = false;
  return {
    write(entry) {
      if (broken) return;
      try {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        if (sizeOf(file) > maxBytes) renameSync(file, path.join(folder, "app.1.log"));
        const line = {
          at: new Date().toISOString(),
          where: entry.where,
          what: entry.what,
          ...stackOf(entry.cause),
        };
        appendFileSync(file, `${JSON.stringify(line)}\n`, { mode: 0o600 });
      } catch {
        // A log that cannot be written (full or read-only disk) must never stop the app.
        broken = true;
      }
    },
  };
}

/** For the CLI on files and for tests: nothing is written. */
export const silentLog: Log = { write: () => undefined };

/**
 * A cause reduced to what may stand in a log: the kind of error, its system code and the stack *frames*. The
 * message is left out, since messages of libraries and of the file system quote paths and file contents.
 */
function stackOf(cause: unknown): { error?: string; code?: string; stack?: string[]; cause?: unknown } {
  if (!(cause instanceof Error)) return cause === undefined ? {} : { error: typeof cause };
  const code = (cause as { code?: unknown }).code;
  const frames = (cause.stack ?? "").split("\n").filter(isFrame).slice(0, 12).map(shortFrame);
  return {
    error: cause.name,
    ...(typeof code === "string" ? { code } : {}),
    stack: frames,
    ...(cause.cause === undefined ? {} : { cause: stackOf(cause.cause) }),
  };
}

export function isFrame(line: string): boolean {
  return /^\s+at /.test(line);
}

/** A stack frame without the folder that the program lies in: it may name the user. */
export function shortFrame(line: string): string {
  const own =
    /\(?(?:file:\/\/)?\/?[^()\s]*?[/\\]((?:dist|host|core|archive|models|electron|node_modules)[/\\])/;
  return line.trim().replace(own, "($1");
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
