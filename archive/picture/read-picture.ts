import { ybrToRgb } from "../../core/colour.ts";
import { AppError, appError } from "../../core/errors.ts";
import type { PixelFrame } from "../../core/frame.ts";
import { decodeJpeg } from "../dicom/codecs/decode-codestream.ts";
import { readJpegFrame } from "../dicom/codecs/jpeg-markers.ts";
import { isPng, readPng } from "./read-png.ts";
import type { RawPicture } from "./raw-picture.ts";

const mostSamples = 1 << 27;
const largestFile = 1 << 28;

/** Whether the octets begin like a PNG or a JPEG. */
export function isPicture(head: Uint8Array): boolean {
  return isPng(head) || isJpeg(head);
}

/**
 * A PNG or JPEG as a frame. Such pictures are made for the eye, so their window shows every level as it is stored.
 * Colour in which all pixels are grey (a radiograph saved as RGB) becomes grey.
 * @throws image-damaged, too-large, not-supported
 */
export async function readPicture(octets: Uint8Array): Promise<PixelFrame> {
  if (octets.length > largestFile)
    throw appError("too-large", "The picture file is larger than this app reads.");
  if (isPng(octets)) return toFrame(readPng(octets));
  if (isJpeg(octets)) return toFrame(await readJpeg(octets));
  throw appError("image-damaged", "The file is neither PNG nor JPEG.");
}

async function readJpeg(octets: Uint8Array): Promise<RawPicture> {
  try {
    const frame = readJpegFrame(octets);
    const { rows, columns, components } = frame;
    if (components !== 1 && components !== 3) {
      throw appError("not-supported", "JPEG pictures with four colours (CMYK) are not read.");
    }
    if (rows * columns * components > mostSamples) {
      throw appError("too-large", "The JPEG is larger than this app reads.");
    }
    // Without a JFIF marker an Adobe marker may say that there was no colour transform.
    const photometric = frame.adobe === 0 ? "RGB" : "YBR_FULL";
    const shape = {
      rows,
      columns,
      samples: components,
      bitsAllocated: 8,
      bitsStored: 8,
      photometric,
    } as const;
    const { values, colour } = await decodeJpeg(octets, shape);
    const converted = colour === "ybr" && values instanceof Uint8Array ? ybrToRgb(values) : values;
    return { width: columns, height: rows, channels: components, values: converted, warnings: [] };
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code !== "pixel-data-damaged") throw thrown;
    throw appError("image-damaged", "The JPEG is damaged and cannot be read.", thrown);
  }
}

function toFrame(picture: RawPicture): PixelFrame {
  const grey = picture.channels === 3 ? asGrey(picture.values) : null;
  const values = grey ?? picture.values;
  const samplesPerPixel = grey ? 1 : picture.channels;
  const bits = values.BYTES_PER_ELEMENT * 8;
  const levels = 2 ** bits;
  const window = { center: levels / 2, width: levels, function: "LINEAR", explanation: "As stored" } as const;
  return {
    rows: picture.height,
    columns: picture.width,
    samplesPerPixel,
    bitsAllocated: bits,
    bitsStored: bits,
    signed: false,
    photometric: samplesPerPixel === 1 ? "MONOCHROME2" : "RGB",
    values,
    modalityTransform: { type: "identity" },
    voiWindows: samplesPerPixel === 1 ? [window] : [],
    voiTables: [],
    palette: null,
    presentationInverse: false,
    padding: null,
    spacing: null,
    aspect: 1,
    placement: { orientation: null, position: null, patientOrientation: null },
    warnings: picture.warnings,
  };
}

/** One sample a pixel where red, green and blue are equal everywhere, else null. */
function asGrey(values: Uint8Array | Uint16Array): Uint8Array | Uint16Array | null {
  const grey = values.slice(0, values.length / 3);
  for (let i = 0, o = 0; i < values.length; i += 3, o += 1) {
    if (values[i] !== values[i + 1] || values[i] !== values[i + 2]) return null;
    grey[o] = values[i]!;
  }
  return grey;
}

function isJpeg(head: Uint8Array): boolean {
  return head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff;
}
