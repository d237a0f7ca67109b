import type { StoredValues } from "../../core/frame.ts";
import type { PixelDescription } from "./pixel-description.ts";

/** Octets of one uncompressed frame that does not start on an octet's border: 1-bit frames follow bit by bit. */
export interface NativeExtent {
  readonly firstBit: number;
  readonly bits: number;
}

/** Where an uncompressed frame lies in the pixel data (PS3.5 8.1.1, 8.2, annex D); `frame` from 1. */
export function nativeExtent(pixels: PixelDescription, frame: number): NativeExtent {
  // Two pixels of YBR_FULL_422 share one pair of chroma samples (PS3.3 C.7.6.3.1.2).
  const samples = pixels.photometric === "YBR_FULL_422" ? 2 : pixels.samples;
  const bits = pixels.rows * pixels.columns * samples * pixels.bitsAllocated;
  return { firstBit: (frame - 1) * bits, bits };
}

/**
 * Octets to stored values in the order the file has them, one value a sample.
 * @param octets from the octet that holds the first bit on; the array is taken over
 */
export function nativeValues(
  octets: Uint8Array,
  pixels: PixelDescription,
  order: { firstBit: number; count: number; littleEndian: boolean },
): StoredValues {
  const { count } = order;
  if (pixels.bitsAllocated === 1) return unpackBits(octets, order.firstBit & 7, count);
  if (pixels.bitsAllocated > 8 && !order.littleEndian) swap(octets, pixels.bitsAllocated / 8);
  const width = pixels.bitsAllocated / 8;
  // Typed arrays need an aligned start and, like everything here, a little-endian host.
  const aligned = octets.byteOffset % width === 0 ? octets : octets.slice();
  const at = aligned.byteOffset;
  const buffer = aligned.buffer as ArrayBuffer;
  if (pixels.type === "float") return new Float32Array(buffer, at, count);
  if (pixels.type === "double") return new Float64Array(buffer, at, count);
  if (width === 4)
    return pixels.signed ? new Int32Array(buffer, at, count) : new Uint32Array(buffer, at, count);
  if (width === 2)
    return pixels.signed ? new Int16Array(buffer, at, count) : new Uint16Array(buffer, at, count);
  return pixels.signed ? new Int8Array(buffer, at, count) : new Uint8Array(buffer, at, count);
}

/** Bits above High Bit belong to no pixel; signed values get their sign from High Bit. Works in place. */
export function maskToHighBit(values: StoredValues, pixels: PixelDescription): void {
  const bits = pixels.highBit + 1;
  if (pixels.type !== "integer" || bits === pixels.bitsAllocated || bits >= 32) return;
  const shift = 32 - bits;
  if (pixels.signed) for (let i = 0; i < values.length; i += 1) values[i] = (values[i]! << shift) >> shift;
  else for (let i = 0; i < values.length; i += 1) values[i] = (values[i]! << shift) >>> shift;
}

/** All of one sample after the other to samples by pixel (Planar Configuration 1, PS3.3 C.7.6.3.1.3). */
export function interleavePlanes(planes: StoredValues): StoredValues {
  const out = planes.slice();
  const size = planes.length / 3;
  for (let i = 0, o = 0; i < size; i += 1, o += 3) {
    out[o] = planes[i]!;
    out[o + 1] = planes[i + size]!;
    out[o + 2] = planes[i + 2 * size]!;
  }
  return out;
}

/** Y1 Y2 CB CR to Y1 CB CR Y2 CB CR: chroma repeated, not interpolated. */
export function repeatChroma(pairs: StoredValues): StoredValues {
  const Values = pairs.constructor as new (length: number) => StoredValues;
  const out = new Values((pairs.length / 2) * 3);
  for (let i = 0, o = 0; i + 3 < pairs.length; i += 4, o += 6) {
    out[o] = pairs[i]!;
    out[o + 3] = pairs[i + 1]!;
    out[o + 1] = pairs[i + 2]!;
    out[o + 4] = pairs[i + 2]!;
    out[o + 2] = pairs[i + 3]!;
    out[o + 5] = pairs[i + 3]!;
  }
  return out;
}

/** Exchanges the octets of each 2-, 4- or 8-octet word in place. */
export function swap(octets: Uint8Array, width: number): void {
  for (let at = 0; at + width <= octets.length; at += width) {
    octets.subarray(at, at + width).reverse();
  }
}

/** The first pixel is the lowest bit (PS3.5 8.1.1). */
function unpackBits(octets: Uint8Array, skip: number, count: number): Uint8Array {
  const out = new Uint8Array(count);
  for (let i = 0; i < count; i += 1) {
    const bit = i + skip;
    out[i] = (octets[bit >> 3]! >> (bit & 7)) & 1;
  }
  return out;
}
