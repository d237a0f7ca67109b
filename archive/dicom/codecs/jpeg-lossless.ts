import { Decoder } from "jpeg-lossless-decoder-js";
import { appError } from "../../../core/errors.ts";
import { damaged, type DecodedSamples, type Expected } from "./codestream.ts";
import { readJpegFrame } from "./jpeg-markers.ts";

/**
 * JPEG Lossless, process 14, any predictor (ITU-T T.81 annex H). The shape was checked against the header before.
 * @throws pixel-data-damaged, transfer-syntax-not-supported for colour of more than 8 bits
 */
export function decodeJpegLossless(octets: Uint8Array, expected: Expected): DecodedSamples {
  const { precision, components } = readJpegFrame(octets);
  const width = precision > 8 ? 2 : 1;
  if (components === 3 && width === 2) {
    throw appError(
      "transfer-syntax-not-supported",
      "JPEG Lossless colour of more than 8 bits is not decoded.",
    );
  }
  // The library reads from a whole ArrayBuffer, and past its end as if it held zeros.
  const stream = octets.slice();
  const values = decodeSafely(stream, width);
  if (values.length !== expected.rows * expected.columns * expected.samples) throw damaged();
  return { values, colour: "as-stored" };
}

function decodeSafely(stream: Uint8Array<ArrayBuffer>, width: number): Uint8Array | Uint16Array {
  try {
    const decoded = new Decoder().decode(stream.buffer, 0, stream.length, width);
    if (decoded instanceof Uint8Array || decoded instanceof Uint16Array) return decoded;
  } catch (thrown) {
    throw damaged(thrown);
  }
  throw damaged();
}
