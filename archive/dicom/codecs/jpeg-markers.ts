import { damaged, type StreamSize } from "./codestream.ts";

/** What stands before the first scan of a JPEG or JPEG-LS codestream (ITU-T T.81 annex B, T.87 annex C). */
export interface JpegFrame extends StreamSize {
  /** Low octet of the SOF marker: 0xc0 baseline … 0xc3 lossless … 0xf7 JPEG-LS. */
  readonly sof: number;
  readonly componentIds: readonly number[];
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
      jfif,
      adobe,
    };
  }
  throw damaged();
}

/** Whether the samples of a JPEG-LS scan with all components are stored as planes (T.87 C.2.3, ILV 0). */
export function holdsPlanes(octets: Uint8Array): boolean {
  for (const { marker, at, length } of segments(octets)) {
    if (marker === 0xda) return octets[at + length - 2] === 0;
  }
  return false;
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
    if (marker === 0xd9) return;
    const length = (octets[at + 2]! << 8) | octets[at + 3]!;
    // A segment that ends behind the octets cannot be a frame header we could trust.
    if (at + 2 + length > octets.length) return;
    yield { marker, at: at + 2, length };
    if (marker === 0xda) return;
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
