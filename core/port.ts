/**
 * The only thing two processes of the app share: a message channel. `electron/spawn.ts` makes one from a
 * `utilityProcess`, `host/children.ts` from a forked child; a process makes its own end from `process` or
 * `process.parentPort`. Messages are structured-cloned (typed arrays arrive as copies).
 */
export interface Port {
  post(message: unknown): void;
  /** One listener at a time; messages that came before it are delivered to it. */
  onMessage(listener: (message: unknown) => void): void;
  /** Called once, when the other side is gone for whatever reason. */
  onExit(listener: (reason: string) => void): void;
  close(): void;
}
