import type { Port } from "../core/port.ts";
import { serveApi } from "../core/rpc.ts";
import type { ArchiveApi } from "./api.ts";
import { createArchiveService } from "./archive-service.ts";

/** The archive process: the only one that touches the database and DICOM that came from outside. */

const port = parentPort();
serveApi<ArchiveApi>(port, createArchiveService(), logFailure);
// Work that is cut short here is found and set right at the next start.
port.onExit(() => process.exit(0));

/** Messages may name files, and file names may name patients: the log gets what failed and where, no words. */
function logFailure(name: string, cause: unknown): void {
  const { code } = (cause ?? {}) as { code?: unknown };
  const stack = cause instanceof Error ? (cause.stack ?? "").split("\n").filter(isFrame) : [];
  process.stderr.write(
    `${name} failed: ${cause instanceof Error ? cause.name : typeof cause} ${String(code ?? "")}\n`,
  );
  for (const line of stack) process.stderr.write(`${line}\n`);
}

function isFrame(line: string): boolean {
  return /^\s+at /.test(line);
}

interface UtilityPort {
  postMessage(message: unknown): void;
  on(event: "message", listener: (event: { data: unknown }) => void): void;
}

/** This process's end of the port: of a forked child, or of Electron's utility process. */
function parentPort(): Port {
  const utility = (process as { parentPort?: UtilityPort }).parentPort;
  if (utility) {
    return {
      // No window on the other side: there is no origin to name.
      // oxlint-disable-next-line unicorn/require-post-message-target-origin
      post: (message) => utility.postMessage(message),
      onMessage: (listener) => utility.on("message", ({ data }) => listener(data)),
      // Electron ends a utility process with its parent.
      onExit: () => undefined,
      close: () => process.exit(0),
    };
  }
  return {
    post: (message) => process.send?.(message),
    onMessage: (listener) => process.on("message", listener),
    onExit: (listener) => process.on("disconnect", () => listener("the app ended")),
    close: () => process.disconnect(),
  };
}
