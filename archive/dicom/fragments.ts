import { appError, throwIfAborted } from "../../core/errors.ts";
import type { ByteSource } from "../byte-source.ts";
import type { DicomHeader } from "./parse-header.ts";
import type { PixelElement } from "./read-data-set.ts";
import { itemTag, sequenceEndTag, tags } from "./tags.ts";

/** Octets of one fragment, in the source; `start` counts from the first fragment's item tag, as offset tables do. */
interface Fragment {
  readonly start: number;
  readonly offset: number;
  readonly length: number;
}

export interface FragmentTable {
  /** The fragments of each frame, in order; may hold fewer frames than the header says. */
  readonly frames: readonly (readonly Fragment[])[];
  /** The file ends inside the last fragment. */
  readonly cut: boolean;
  readonly warnings: readonly string[];
}

const mostFragments = 1_000_000;
const windowSize = 1 << 16;

/**
 * Finds the fragments of encapsulated pixel data (PS3.5 A.4) and which frame each belongs to. Offset tables are
 * believed only where every entry points at a fragment and they ascend; else frames are found by what they are.
 * @throws pixel-data-damaged where there are no fragments, cancelled
 */
export async function fragmentTable(
  header: DicomHeader,
  frames: number,
  signal?: AbortSignal,
): Promise<FragmentTable> {
  const { pixels, source } = header;
  if (!pixels) throw appError("pixel-data-missing", "The file has no pixel data.");
  const scan = await scanItems(source, pixels, signal);
  const [table, ...fragments] = scan.items;
  if (!table || fragments.length === 0) {
    throw appError("pixel-data-damaged", "The compressed pixel data holds no fragments.");
  }
  const warnings: string[] = [];
  const grouped = await groupByFrame(header, { table, fragments, frames, warnings });
  return { frames: grouped, cut: scan.cut, warnings };
}

/** The coded octets of one frame, from 1. */
export async function readCodestream(
  source: ByteSource,
  fragments: readonly Fragment[],
): Promise<Uint8Array> {
  const total = fragments.reduce((sum, fragment) => sum + fragment.length, 0);
  if (total > 1 << 29) throw appError("too-large", "The compressed frame is larger than this app reads.");
  if (fragments.length === 1) return source.read(fragments[0]!.offset, fragments[0]!.length);
  const octets = new Uint8Array(total);
  let at = 0;
  for (const fragment of fragments) {
    octets.set(await source.read(fragment.offset, fragment.length), at);
    at += fragment.length;
  }
  return octets;
}

/** Items up to the delimiter or the end; the first is the Basic Offset Table. */
async function scanItems(
  source: ByteSource,
  pixels: PixelElement,
  signal: AbortSignal | undefined,
): Promise<{ items: Fragment[]; cut: boolean }> {
  const end = pixels.length === null ? source.size : Math.min(source.size, pixels.offset + pixels.length);
  const items: Fragment[] = [];
  let window = new Uint8Array(0);
  let windowAt = 0;
  let first = 0;
  let at = pixels.offset;
  while (at + 8 <= end && items.length < mostFragments) {
    if (at < windowAt || at + 8 > windowAt + window.length) {
      throwIfAborted(signal);
      windowAt = at;
      window = new Uint8Array(await source.read(at, Math.min(windowSize, end - at)));
      if (window.length < 8) break;
    }
    const view = new DataView(window.buffer, window.byteOffset + at - windowAt, 8);
    const tag = ((view.getUint16(0, true) << 16) | view.getUint16(2, true)) >>> 0;
    const length = view.getUint32(4, true);
    if (tag === sequenceEndTag || tag !== itemTag) break;
    const room = end - at - 8;
    if (items.length === 1) first = at;
    items.push({ start: at - first, offset: at + 8, length: Math.min(length, room) });
    if (length > room) return { items, cut: true };
    at += 8 + length;
  }
  return { items, cut: false };
}

interface Grouping {
  readonly table: Fragment;
  readonly fragments: readonly Fragment[];
  readonly frames: number;
  readonly warnings: string[];
}

async function groupByFrame(header: DicomHeader, grouping: Grouping): Promise<Fragment[][]> {
  const { table, fragments, frames, warnings } = grouping;
  const extended = header.dataSet.numbers(tags.extendedOffsets);
  if (extended.length > 0) {
    const groups = splitAt(fragments, extended, frames);
    if (groups) return trimToLengths(groups, header.dataSet.numbers(tags.extendedLengths));
    warnings.push("The extended offset table does not fit the pixel data and was not used.");
  }
  if (frames === 1) return [[...fragments]];
  if (table.length >= 4) {
    const groups = splitAt(fragments, await readOffsets(header.source, table), frames);
    if (groups) return groups;
    warnings.push("The offset table does not fit the pixel data and was not used.");
  }
  if (fragments.length === frames || header.syntax.coding === "rle") {
    return fragments.map((fragment) => [fragment]);
  }
  return splitAtStarts(header.source, fragments);
}

async function readOffsets(source: ByteSource, table: Fragment): Promise<number[]> {
  const octets = await source.read(table.offset, Math.min(table.length, mostFragments * 4));
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  return Array.from({ length: octets.length >> 2 }, (_, i) => view.getUint32(i * 4, true));
}

/** Null where the table lies: another count of frames, an entry that is no fragment, or not ascending. */
function splitAt(
  fragments: readonly Fragment[],
  offsets: readonly number[],
  frames: number,
): Fragment[][] | null {
  if (offsets.length !== frames || offsets[0] !== 0) return null;
  const groups: Fragment[][] = [];
  for (const fragment of fragments) {
    if (groups.length < offsets.length && fragment.start === offsets[groups.length]) groups.push([]);
    groups.at(-1)?.push(fragment);
  }
  return groups.length === frames ? groups : null;
}

/** Extended Offset Table Lengths leave out the padding octet of a frame with an odd length (PS3.3 C.7.6.3.1.8). */
function trimToLengths(groups: Fragment[][], lengths: readonly number[]): Fragment[][] {
  return groups.map((group, i) => {
    const [only] = group;
    const length = lengths[i];
    if (!only || group.length > 1 || length === undefined || length !== only.length - 1) return group;
    return [{ ...only, length }];
  });
}

/** Every codestream of the JPEG families begins with a marker of its own. */
async function splitAtStarts(source: ByteSource, fragments: readonly Fragment[]): Promise<Fragment[][]> {
  const groups: Fragment[][] = [];
  for (const fragment of fragments) {
    const head = await source.read(fragment.offset, Math.min(4, fragment.length));
    const starts = (head[0] === 0xff && (head[1] === 0xd8 || head[1] === 0x4f)) || groups.length === 0;
    if (starts) groups.push([]);
    groups.at(-1)?.push(fragment);
  }
  return groups;
}
