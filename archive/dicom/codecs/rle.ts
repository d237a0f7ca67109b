import { appError } from "../../../core/errors.ts";
import { damaged } from "./codestream.ts";

export interface RleShape {
  /** Octets of one segment, unpacked: one octet of each sample of one colour. */
  readonly segmentLength: number;
  readonly samples: 1 | 3;
  /** Octets of a sample. */
  readonly sampleLength: number;
}

/**
 * RLE (PS3.5 annex G): each segment holds one octet of every pixel, most significant first, packed by PackBits.
 * The result is little-endian and interleaved by pixel.
 * @throws pixel-data-damaged where segments are missing, pixel-data-truncated where one ends too early
 */
export function decodeRle(octets: Uint8Array, shape: RleShape): Uint8Array {
  if (octets.length < 64) throw damaged();
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const segments = shape.samples * shape.sampleLength;
  if (view.getUint32(0, true) !== segments) throw damaged();
  const out = new Uint8Array(shape.segmentLength * segments);
  for (let segment = 0; segment < segments; segment += 1) {
    const start = view.getUint32(4 + segment * 4, true);
    const next = segment + 1 < segments ? view.getUint32(8 + segment * 4, true) : octets.length;
    if (start < 64 || start > octets.length) throw damaged();
    // Writers that put a wrong next offset still have whole segments; the output bounds what is read.
    const end = next > start ? Math.min(next, octets.length) : octets.length;
    const sample = Math.floor(segment / shape.sampleLength);
    const octet = shape.sampleLength - 1 - (segment % shape.sampleLength);
    unpack(octets.subarray(start, end), out, {
      first: sample * shape.sampleLength + octet,
      step: segments,
      count: shape.segmentLength,
    });
  }
  return out;
}

/** PackBits (PS3.5 G.3.1), written to every `step`-th octet from `first`. */
function unpack(
  packed: Uint8Array,
  out: Uint8Array,
  to: { first: number; step: number; count: number },
): void {
  let at = 0;
  let written = 0;
  let position = to.first;
  while (written < to.count) {
    if (at >= packed.length) {
      throw appError("pixel-data-truncated", "The RLE image ends before its last pixel.");
    }
    const control = packed[at]!;
    at += 1;
    if (control === 128) continue;
    const repeat = control > 128;
    const length = Math.min(repeat ? 257 - control : control + 1, to.count - written);
    for (let i = 0; i < length; i += 1) {
      out[position] = packed[repeat ? at : at + i] ?? 0;
      position += to.step;
    }
    written += length;
    at += repeat ? 1 : control + 1;
  }
}
