import type { LibraryHandle } from "koffi";
import { koffi } from "./koffi.ts";

/** Kept, with its library: koffi unloads what was collected. */
let trim: { readonly library: LibraryHandle; readonly call: (pad: number) => number } | null | undefined;

/**
 * Gives the memory that loading or closing a graph has freed back to the system, which glibc keeps for later: some 1.1 GB
 * after a few loadings of the embedded pack. Other systems and C libraries do so by themselves, or have no such function.
 */
export function giveBackFreedMemory(): void {
  if (trim === undefined) trim = mallocTrim();
  trim?.call(0);
}

function mallocTrim(): typeof trim {
  if (process.platform !== "linux") return null;
  try {
    const library = koffi().load("libc.so.6");
    return { library, call: library.func("int malloc_trim(size_t)") as (pad: number) => number };
  } catch {
    return null;
  }
}
