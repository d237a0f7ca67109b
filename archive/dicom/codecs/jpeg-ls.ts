import { damaged, requireShape, type DecodedSamples, type Expected } from "./codestream.ts";
import { readJpegFrame } from "./jpeg-markers.ts";
import { copyDecoded, withDecoder } from "./wasm-module.ts";

const codec = { specifier: "@cornerstonejs/codec-charls/decodewasmjs", className: "JpegLSDecoder" };

/** @throws pixel-data-damaged */
export async function decodeJpegLs(octets: Uint8Array, expected: Expected): Promise<DecodedSamples> {
  requireShape(readJpegFrame(octets), expected);
  const samples = expected.rows * expected.columns * expected.samples;
  const decoded = await withDecoder(codec, octets, (decoder) => {
    decoder.decode();
    const info = decoder.getFrameInfo();
    if (info.width !== expected.columns || info.height !== expected.rows) throw damaged();
    return { values: copyDecoded(decoder, samples), byPlane: decoder.getInterleaveMode?.() === 0 };
  });
  const values = decoded.byPlane && expected.samples === 3 ? interleave(decoded.values) : decoded.values;
  return { values, colour: "as-stored", overshoots: false };
}

/** Three planes to pixels. */
function interleave<T extends Uint8Array | Uint16Array>(planes: T): T {
  const out = planes.slice() as T;
  const size = planes.length / 3;
  for (let i = 0, o = 0; i < size; i += 1, o += 3) {
    out[o] = planes[i]!;
    out[o + 1] = planes[i + size]!;
    out[o + 2] = planes[i + 2 * size]!;
  }
  return out;
}
