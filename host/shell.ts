import type { SafeStorage } from "./keys/key-store.ts";

/**
 * What only a desktop window can do. Electron implements it; a headless host has `headlessShell`. Nothing else of
 * `host/` knows which of the two it runs in.
 */
export interface Shell {
  readonly kind: "electron" | "host";
  /** Native dialog. @throws not-supported where there is no window. */
  pickPaths(kind: "files" | "folder"): Promise<readonly string[]>;
  /** The key store of the operating system; null where there is none. */
  readonly safeStorage: SafeStorage | null;
}
