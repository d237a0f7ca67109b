import { damaged, type StreamSize } from "./codestream.ts";

/** What stands before the first scan of a JPEG or JPEG-LS codestream (ITU-T T.81 annex B, T.87 annex C). */
export interface JpegFrame extends StreamSize {
  /** Low octet of the SOF marker: 0xc0 baseline … 0xc3 lossless … 0xf7 JPEG-LS. */
  readonly sof: number;
  readonly componentIds: readonly number[];
  /** Quantisation table of each component. */
  readonly quantisation: readonly number[];
  /** Components have different sampling factors. */
  readonly subsampled: boolean;
  readonly jfif: boolean;
  /** Colour transform of an Adobe marker; null where there is none. */
  readonly adobe: number | null;
}

/** @throws pixel-data-damaged where there is no frame header */
export function readJpegFrame(octets: Uint8Array): JpegFrame {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  let jfif = false;
  let adobe: number | null = null;
  for (const { marker, at, length } of segments(octets)) {
    const body = at + 2;
    if (marker === 0xe0 && text(octets, body, 4) === "JFIF") jfif = true;
    if (marker === 0xee && length >= 14 && text(octets, body, 5) === "Adobe") adobe = octets[body + 11]!;
    if (!isFrameHeader(marker) || length < 8) continue;
    const components = octets[body + 5]!;
    const ids = Array.from({ length: components }, (_, i) => octets[body + 6 + i * 3] ?? 0);
    return {
      sof: marker,
      precision: octets[body]!,
      rows: view.getUint16(body + 1),
      columns: view.getUint16(body + 3),
      components,
      componentIds: ids,
      quantisation: ids.map((_, i) => octets[body + 8 + i * 3] ?? 0),
      subsampled: new Set(ids.map((_, i) => octets[body + 7 + i * 3])).size > 1,
      jfif,
      adobe,
    };
  }
  throw damaged();
}

/**
 * The same codestream with an Adobe marker that says which colour transform its samples have been through:
 * 1 is YCbCr, 0 none. libjpeg would guess otherwise, and DICOM's header knows better.
 */
export function withColourTransform(octets: Uint8Array, transform: 0 | 1): Uint8Array {
  // APP14, 14 octets: "Adobe", version 100, two words of flags, transform.
  const marker = Uint8Array.from([
    0xff,
    0xee,
    0,
    14,
    0x41,
    0x64,
    0x6f,
    0x62,
    0x65,
    0,
    100,
    0,
    0,
    0,
    0,
    transform,
  ]);
  const out = new Uint8Array(octets.length + marker.length);
  out.set(octets.subarray(0, 2));
  out.set(marker, 2);
  out.set(octets.subarray(2), 2 + marker.length);
  // A JFIF or Adobe marker of the file's own would overrule ours.
  for (const segment of segments(octets)) {
    if (segment.marker === 0xe0 || segment.marker === 0xee) {
      out[segment.at - 1 + marker.length] = 0xfe; // made a comment
    }
  }
  return out;
}

function* segments(octets: Uint8Array): Generator<{ marker: number; at: number; length: number }> {
  let at = 2;
  while (at + 4 <= octets.length) {
    if (octets[at] !== 0xff) {
      at += 1;
      continue;
    }
    const marker = octets[at + 1]!;
    if (marker === 0xff || marker === 0 || marker === 0xd8) {
      at += 1;
      continue;
    }
    if (marker === 0xda || marker === 0xd9) return;
    const length = (octets[at + 2]! << 8) | octets[at + 3]!;
    // A segment that ends behind the octets cannot be a frame header we could trust.
    if (at + 2 + length > octets.length) return;
    yield { marker, at: at + 2, length };
    at += 2 + Math.max(2, length);
  }
}

function isFrameHeader(marker: number): boolean {
  if (marker === 0xf7) return true;
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function text(octets: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...octets.subarray(at, at + length));
}
