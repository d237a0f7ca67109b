import { appError } from "../../../core/errors.ts";
import { damaged, requireShape, type DecodedSamples, type Expected } from "./codestream.ts";
import { readJpegFrame, withColourTransform, type JpegFrame } from "./jpeg-markers.ts";
import { decodeJpegLossless } from "./jpeg-lossless.ts";
import { decodeJpegLs } from "./jpeg-ls.ts";
import { decodeTwelveBit } from "./jpeg-twelve-bit.ts";
import { copyDecoded, withDecoder } from "./wasm-module.ts";

const codec = {
  specifier: "@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs",
  className: "JPEGDecoder",
};

/**
 * Any codestream of the JPEG family, by its own frame header: files name the wrong process too often.
 * @throws pixel-data-damaged, transfer-syntax-not-supported (hierarchical, 12-bit colour)
 */
export async function decodeJpeg(octets: Uint8Array, expected: Expected): Promise<DecodedSamples> {
  const frame = readJpegFrame(octets);
  requireShape(frame, expected);
  if (frame.sof === 0xf7) return decodeJpegLs(octets, expected);
  if (frame.sof === 0xc3) return decodeJpegLossless(octets, expected);
  if (![0xc0, 0xc1, 0xc2, 0xc9, 0xca].includes(frame.sof)) {
    throw appError("transfer-syntax-not-supported", "This JPEG process (hierarchical) is not decoded.");
  }
  if (frame.precision === 12) return decodeTwelveBit(octets, frame);
  if (frame.precision !== 8) throw damaged();
  return decodeEightBit(octets, frame, expected);
}

async function decodeEightBit(
  octets: Uint8Array,
  frame: JpegFrame,
  expected: Expected,
): Promise<DecodedSamples> {
  const colour = frame.components === 3;
  const stream = colour ? withColourTransform(octets, isYbr(frame, expected) ? 1 : 0) : octets;
  const samples = expected.rows * expected.columns * expected.samples;
  const values = await withDecoder(codec, stream, (decoder) => {
    decoder.decode();
    const info = decoder.getFrameInfo();
    if (info.width !== expected.columns || info.height !== expected.rows) throw damaged();
    if (info.componentCount !== expected.samples) throw damaged();
    return copyDecoded(decoder, samples);
  });
  return { values, colour: colour ? "rgb" : "as-stored", overshoots: true };
}

/** Component letters, then a JFIF marker, then the DICOM header decide whether samples are YCbCr. */
function isYbr(frame: JpegFrame, expected: Expected): boolean {
  const letters = String.fromCharCode(...frame.componentIds).toUpperCase();
  if (letters === "RGB") return false;
  return frame.jfif || expected.photometric.startsWith("YBR");
}
