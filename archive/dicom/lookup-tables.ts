import type { LookupTable, Palette } from "../../core/frame.ts";
import type { DataSet } from "./data-set.ts";
import { tags, type Tag } from "./tags.ts";

const mostEntries = 65_536;

interface Descriptor {
  readonly entries: number;
  readonly firstMapped: number;
  readonly bits: number;
}

/**
 * One item of a Modality or VOI LUT Sequence (PS3.3 C.11.1.1, C.11.2.1.1); null where it is no table. A table that
 * is shorter than its descriptor says ends with its last entry: never with what lies behind it in the file.
 */
export function readTable(item: DataSet, signedInput: boolean): LookupTable | null {
  const descriptor = readDescriptor(item, tags.lutDescriptor, signedInput);
  if (!descriptor) return null;
  const values = tableValues(item, tags.lutData, descriptor);
  return values.length === 0 ? null : { firstMapped: descriptor.firstMapped, bits: descriptor.bits, values };
}

/** The Palette Color Lookup Table module (PS3.3 C.7.9), also segmented (C.7.9.2), reduced to 8 bit. */
export function readPalette(dataSet: DataSet, signed: boolean): Palette | null {
  const descriptor = readDescriptor(dataSet, tags.redDescriptor, signed);
  if (!descriptor) return null;
  const channels = [
    readChannel(dataSet, [tags.redDescriptor, tags.redData, tags.redSegments], signed),
    readChannel(dataSet, [tags.greenDescriptor, tags.greenData, tags.greenSegments], signed),
    readChannel(dataSet, [tags.blueDescriptor, tags.blueData, tags.blueSegments], signed),
  ];
  const [red, green, blue] = channels;
  if (!red || !green || !blue) return null;
  const length = Math.min(red.length, green.length, blue.length);
  return {
    firstMapped: descriptor.firstMapped,
    red: red.subarray(0, length),
    green: green.subarray(0, length),
    blue: blue.subarray(0, length),
  };
}

function readChannel(
  dataSet: DataSet,
  channel: readonly [Tag, Tag, Tag],
  signed: boolean,
): Uint8Array | null {
  const [descriptorTag, dataTag, segmentsTag] = channel;
  const descriptor = readDescriptor(dataSet, descriptorTag, signed);
  if (!descriptor) return null;
  const values = dataSet.has(dataTag)
    ? tableValues(dataSet, dataTag, descriptor)
    : expandSegments(rawValues(dataSet, segmentsTag, descriptor.bits === 8 ? 1 : 2), descriptor.entries);
  if (values.length === 0) return null;
  // 16-bit tables that hold 8-bit values are common; there the upper octet is empty.
  const shift = descriptor.bits > 8 && values.some((value) => value > 255) ? 8 : 0;
  return Uint8Array.from(values, (value) => (value >> shift) & 255);
}

function readDescriptor(dataSet: DataSet, tag: Tag, signedInput: boolean): Descriptor | null {
  const [entries, first, bits] = dataSet.numbers(tag);
  if (entries === undefined || first === undefined || bits === undefined) return null;
  if (![entries, first, bits].every(Number.isFinite)) return null;
  // Entries and bits are unsigned whatever the VR; 0 entries means 65,536 (PS3.3 C.11.1.1.1).
  const count = (entries & 0xffff) === 0 ? mostEntries : entries & 0xffff;
  const declaredSigned = dataSet.elements.get(tag.tag)?.vr === "SS";
  const signed = declaredSigned || signedInput;
  const firstMapped = signed && first > 0x7fff ? first - 0x1_0000 : first;
  return { entries: count, firstMapped, bits: Math.min(Math.max(bits & 0xff, 8), 16) };
}

function tableValues(dataSet: DataSet, tag: Tag, descriptor: Descriptor): number[] {
  const octets = dataSet.octets(tag);
  if (!octets) return [];
  // 8-bit entries are packed two to a word (C.11.1.1.1), but many writers give each a word.
  const packed = descriptor.bits === 8 && octets.length < descriptor.entries * 2;
  return rawValues(dataSet, tag, packed ? 1 : 2).slice(0, descriptor.entries);
}

function rawValues(dataSet: DataSet, tag: Tag, width: 1 | 2): number[] {
  const octets = dataSet.octets(tag);
  if (!octets) return [];
  const little = dataSet.littleEndian;
  const count = Math.min(Math.floor(octets.length / width), mostEntries * 2);
  if (width === 1) {
    // A big endian file swaps the octets of each word.
    return Array.from({ length: count }, (_, i) => octets[little || (i ^ 1) >= count ? i : i ^ 1] ?? 0);
  }
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  return Array.from({ length: count }, (_, i) => view.getUint16(i * 2, little));
}

/** Segments (PS3.3 C.7.9.2): 0 discrete, 1 linear to an end value, 2 a jump back to earlier segments. */
function expandSegments(codes: number[], entries: number): number[] {
  const out: number[] = [];
  expandFrom({ codes, at: 0, segments: Infinity, nested: false }, out, entries);
  return out;
}

interface SegmentRun {
  readonly codes: readonly number[];
  readonly at: number;
  readonly segments: number;
  readonly nested: boolean;
}

function expandFrom(run: SegmentRun, out: number[], entries: number): void {
  const { codes } = run;
  let at = run.at;
  for (let done = 0; done < run.segments && at + 1 < codes.length && out.length < entries; done += 1) {
    const type = codes[at]!;
    const length = codes[at + 1]!;
    at += 2;
    if (type === 0) {
      out.push(...codes.slice(at, at + Math.min(length, entries - out.length)));
      at += length;
    } else if (type === 1) {
      const from = out.at(-1) ?? 0;
      const to = codes[at] ?? from;
      for (let i = 1; i <= length && out.length < entries; i += 1) {
        out.push(Math.round(from + ((to - from) * i) / length));
      }
      at += 1;
    } else if (type === 2 && !run.nested) {
      // The offset counts octets; a jump inside a jump is forbidden and would not end.
      const offset = ((codes[at + 1] ?? 0) * 0x1_0000 + (codes[at] ?? 0)) >> 1;
      expandFrom({ codes, at: offset, segments: length, nested: true }, out, entries);
      at += 2;
    } else {
      return;
    }
  }
}
