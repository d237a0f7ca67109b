import { appError } from "./errors.ts";
import type { Palette, PixelFrame, StoredValues } from "./frame.ts";

/**
 * A PixelFrame as octets, for the `frames.pixels` procedure:
 * magic "MFRM", uint32 length of the JSON in bytes, the JSON (all members but the values), zeros up to a multiple
 * of 8, then the stored values, little-endian.
 */

const magic = 0x4d52464d; // "MFRM" read as little-endian uint32
const constructors = {
  Uint8Array,
  Int8Array,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array,
} as const;
type ValuesType = keyof typeof constructors;

type Description = Omit<PixelFrame, "values" | "palette"> & {
  valuesType: ValuesType;
  palette: { firstMapped: number; red: number[]; green: number[]; blue: number[] } | null;
};

export function encodeFrame(frame: PixelFrame): Uint8Array<ArrayBuffer> {
  const { values, palette, ...rest } = frame;
  const description: Description = {
    ...rest,
    valuesType: values.constructor.name as ValuesType,
    palette: palette && {
      firstMapped: palette.firstMapped,
      red: [...palette.red],
      green: [...palette.green],
      blue: [...palette.blue],
    },
  };
  const json = new TextEncoder().encode(JSON.stringify(description));
  const start = Math.ceil((8 + json.length) / 8) * 8;
  const octets = new Uint8Array(start + values.byteLength);
  const view = new DataView(octets.buffer);
  view.setUint32(0, magic, true);
  view.setUint32(4, json.length, true);
  octets.set(json, 8);
  octets.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), start);
  return octets;
}

/** @throws bad-input where the octets are not what encodeFrame makes. */
export function decodeFrame(octets: Uint8Array): PixelFrame {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  if (octets.length < 8 || view.getUint32(0, true) !== magic) throw appError("bad-input", "Not a frame.");
  const length = view.getUint32(4, true);
  const { valuesType, palette, ...rest } = JSON.parse(
    new TextDecoder().decode(octets.subarray(8, 8 + length)),
  ) as Description;
  const start = Math.ceil((8 + length) / 8) * 8;
  const Values = constructors[valuesType];
  const count = rest.rows * rest.columns * rest.samplesPerPixel;
  if (octets.length - start !== count * Values.BYTES_PER_ELEMENT) {
    throw appError("bad-input", "The frame has another length than its description says.");
  }
  // A copy: typed arrays need an aligned start, and the caller may keep the frame longer than the octets.
  const values: StoredValues = new Values(octets.slice(start).buffer as ArrayBuffer);
  return { ...rest, values, palette: palette && decodePalette(palette) };
}

function decodePalette(palette: NonNullable<Description["palette"]>): Palette {
  return {
    firstMapped: palette.firstMapped,
    red: Uint8Array.from(palette.red),
    green: Uint8Array.from(palette.green),
    blue: Uint8Array.from(palette.blue),
  };
}
