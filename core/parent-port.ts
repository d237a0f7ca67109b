import type { Port } from "./port.ts";

/** What a child process has of Node or Electron to speak with the host: the global `process` of either. */
export interface ChildProcess {
  readonly send?: ((message: unknown) => boolean) | undefined;
  readonly disconnect?: (() => void) | undefined;
  on(event: "message", listener: (message: unknown) => void): unknown;
  on(event: "disconnect", listener: () => void): unknown;
  exit(code: number): void;
}

interface UtilityPort {
  postMessage(message: unknown): void;
  on(event: "message", listener: (event: { data: unknown }) => void): void;
}

/** A child's end of its port to the host: of a forked process, or of Electron's utility process. */
export function parentPort(own: ChildProcess): Port {
  const utility = (own as { parentPort?: UtilityPort }).parentPort;
  if (utility) {
    return {
      // No window on the other side: there is no origin to name.
      // oxlint-disable-next-line unicorn/require-post-message-target-origin
      post: (message) => utility.postMessage(message),
      onMessage: (listener) => utility.on("message", ({ data }) => listener(data)),
      // Electron ends a utility process with its parent.
      onExit: () => undefined,
      close: () => own.exit(0),
    };
  }
  return {
    post: (message) => void own.send?.(message),
    onMessage: (listener) => void own.on("message", listener),
    onExit: (listener) => void own.on("disconnect", () => listener("the app ended")),
    close: () => own.disconnect?.(),
  };
}

/** Messages may name files, and file names may name patients: the log gets what failed and where, no words. */
export function failureLines(name: string, cause: unknown): string {
  const { code } = (cause ?? {}) as { code?: unknown };
  const kind = cause instanceof Error ? cause.name : typeof cause;
  const frames =
    cause instanceof Error ? (cause.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line)) : [];
  const known = typeof code === "string" && /^[\w-]{1,40}$/.test(code) ? ` ${code}` : "";
  return [`${name} failed: ${kind}${known}`, ...frames, ""].join("\n");
}
