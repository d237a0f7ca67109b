import { readFile, realpath } from "node:fs/promises";
import path from "node:path";
import type { LibraryHandle } from "koffi";
import { koffi } from "./koffi.ts";

/**
 * MADV_PAGEOUT, which loses nothing: another session may unmap a file while this one reads the list, and what lies at
 * its place by then must stay.
 */
const pageOut = 21;

/** Kept, with its library: koffi unloads what was collected. */
let advise:
  | { readonly library: LibraryHandle; readonly call: (from: number, bytes: number, how: number) => number }
  | null
  | undefined;

/**
 * Lets go of the pages of a folder's files that loading a graph has brought in. The kernels hold weights in a layout of
 * their own, so most are never read again, but count as this process's memory until the system is short of it; what is
 * read again is brought in again. Linux alone.
 */
export async function letGoOfFiles(folder: string): Promise<void> {
  if (process.platform !== "linux") return;
  if (advise === undefined) advise = madvise();
  if (advise === null) return;
  const { call } = advise;
  try {
    const [maps, place] = [await readFile("/proc/self/smaps", "utf8"), await realpath(folder)];
    for (const { from, to } of unchangedFiles(maps, `${place}${path.sep}`)) {
      call(from, to - from, pageOut);
    }
  } catch {
    // It is a kindness: the system takes them back itself when it needs them.
  }
}

/**
 * Where files lie in memory whose path begins so, by proc(5)'s smaps, without those of which a page was written to: what
 * was written would be lost.
 */
export function unchangedFiles(smaps: string, begins: string): { from: number; to: number }[] {
  const entry = /^([0-9a-f]+)-([0-9a-f]+) \S{4} \S+ \S+ \d+ +(.+)\n((?:[A-Z]\w+:.*\n?)*)/gm;
  return [...smaps.matchAll(entry)].flatMap(([, from, to, file, facts]) =>
    file!.startsWith(begins) && /^Anonymous: +0 kB$/m.test(facts!)
      ? [{ from: Number.parseInt(from!, 16), to: Number.parseInt(to!, 16) }]
      : [],
  );
}

function madvise(): Exclude<typeof advise, undefined> {
  try {
    const library = koffi().load("libc.so.6");
    const call = library.func("int madvise(uintptr_t, size_t, int)");
    return { library, call: call as (from: number, bytes: number, how: number) => number };
  } catch {
    return null;
  }
}
