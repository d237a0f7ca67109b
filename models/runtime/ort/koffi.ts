import { createRequire } from "node:module";

type Koffi = typeof import("koffi");

let loaded: Koffi | undefined;

/**
 * koffi, loaded with the first call: its native part does not load everywhere (security software, a hardened system),
 * and that must not keep the process from starting.
 */
export function koffi(): Koffi {
  loaded ??= createRequire(import.meta.url)("koffi") as Koffi;
  return loaded;
}
