import { damaged, requireShape, type DecodedSamples, type Expected, type StreamSize } from "./codestream.ts";
import { copyDecoded, withDecoder } from "./wasm-module.ts";

const openJpeg = { specifier: "@cornerstonejs/codec-openjpeg/decodewasmjs", className: "J2KDecoder" };
const openJph = { specifier: "@cornerstonejs/codec-openjph/wasmjs", className: "HTJ2KDecoder" };

interface MainHeader extends StreamSize {
  readonly signed: boolean;
  /** A CAP marker with the high-throughput bit (ISO/IEC 15444-15). */
  readonly highThroughput: boolean;
  /** The codestream undoes its own colour transform on decoding. */
  readonly colourTransform: boolean;
}

/**
 * JPEG 2000 (ISO/IEC 15444-1) and High-Throughput JPEG 2000, by the codestream's own header; also inside a JP2 box,
 * which DICOM forbids and writers use.
 * @throws pixel-data-damaged
 */
export async function decodeJpeg2000(octets: Uint8Array, expected: Expected): Promise<DecodedSamples> {
  const stream = octets.subarray(codestreamStart(octets));
  const header = readMainHeader(stream);
  requireShape(header, expected);
  const samples = expected.rows * expected.columns * expected.samples;
  const codec = header.highThroughput ? openJph : openJpeg;
  const values = await withDecoder(codec, withoutSign(stream, header), (decoder) => {
    if (header.highThroughput) decoder.readHeader?.();
    decoder.decode();
    const info = decoder.getFrameInfo();
    if (info.width !== expected.columns || info.height !== expected.rows) throw damaged();
    if (info.componentCount !== expected.samples) throw damaged();
    return copyDecoded(decoder, samples);
  });
  if (header.signed) shiftToSigned(values, header.precision);
  return { values, colour: header.colourTransform ? "rgb" : "as-stored", overshoots: false };
}

/**
 * The decoders cut negative samples of up to 8 bits to 0. The sign bit of SIZ only says whether half the range is
 * added at the end (ISO/IEC 15444-1 annex G.1): without it they add it, and we take it away again.
 */
function withoutSign(stream: Uint8Array, header: MainHeader): Uint8Array {
  if (!header.signed) return stream;
  const unsigned = stream.slice();
  for (let i = 0; i < header.components; i += 1) {
    const at = 42 + i * 3;
    if (at < unsigned.length) unsigned[at] = unsigned[at]! & 0x7f;
  }
  return unsigned;
}

/** Two's complement in the width of the array. */
function shiftToSigned(values: Uint8Array | Uint16Array, precision: number): void {
  const half = 1 << (precision - 1);
  for (let i = 0; i < values.length; i += 1) values[i] = values[i]! - half;
}

/** Offset of the SOC marker with the SIZ marker behind it; 0 where the octets begin with it. */
function codestreamStart(octets: Uint8Array): number {
  const limit = Math.min(octets.length - 4, 1 << 16);
  for (let at = 0; at <= limit; at += 1) {
    if (
      octets[at] === 0xff &&
      octets[at + 1] === 0x4f &&
      octets[at + 2] === 0xff &&
      octets[at + 3] === 0x51
    ) {
      return at;
    }
  }
  throw damaged();
}

/** SIZ, CAP and COD of the main header (ISO/IEC 15444-1 annex A.5, A.6.1). */
function readMainHeader(octets: Uint8Array): MainHeader {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  if (octets.length < 45) throw damaged();
  const columns = view.getUint32(8) - view.getUint32(16);
  const rows = view.getUint32(12) - view.getUint32(20);
  const components = view.getUint16(40);
  const precision = (octets[42]! & 0x7f) + 1;
  let highThroughput = false;
  let colourTransform = false;
  let at = 2;
  while (at + 4 <= octets.length && octets[at] === 0xff && octets[at + 1] !== 0x90) {
    const marker = octets[at + 1];
    if (marker === 0x50) highThroughput = true;
    if (marker === 0x52 && at + 9 <= octets.length) colourTransform = octets[at + 8] === 1;
    at += 2 + Math.max(2, view.getUint16(at + 2));
  }
  const signed = octets[42]! >= 0x80;
  return { rows, columns, components, precision, signed, highThroughput, colourTransform };
}
