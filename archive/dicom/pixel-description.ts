import { appError } from "../../core/errors.ts";
import type { DataSet } from "./data-set.ts";
import type { DicomHeader } from "./parse-header.ts";
import { frameCount } from "./read-instance.ts";
import { pixelTags, tags } from "./tags.ts";

/** The Image Pixel module (PS3.3 C.7.6.3), checked. */
export interface PixelDescription {
  readonly rows: number;
  readonly columns: number;
  readonly frames: number;
  readonly samples: 1 | 3;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly highBit: number;
  readonly signed: boolean;
  readonly type: "integer" | "float" | "double";
  readonly photometric: string;
  /** True: all of the first sample, then all of the second, then the third. */
  readonly planar: boolean;
  readonly warnings: readonly string[];
}

/** A frame larger than this would take gigabytes on its way to the screen. */
const mostSamples = 1 << 28;

/**
 * @throws pixel-data-missing where the file has no pixels; dicom-damaged where rows, columns or bits make no image;
 * not-supported and too-large where they make one that is not read.
 */
export function pixelDescription(header: DicomHeader): PixelDescription {
  const { dataSet, pixels } = header;
  if (!pixels) throw appError("pixel-data-missing", "The file has no pixel data.");
  const warnings: string[] = [];
  const rows = dimension(dataSet.number(tags.rows), "Rows");
  const columns = dimension(dataSet.number(tags.columns), "Columns");
  const photometric = dataSet.string(tags.photometric).toUpperCase() || guessedPhotometric(dataSet, warnings);
  const samples = sampleCount(dataSet, photometric);
  if (rows * columns * samples > mostSamples)
    throw appError("too-large", "The image is larger than this app reads.");
  const shared = { rows, columns, samples, photometric, frames: frameCount(dataSet) };
  const planar = samples === 3 && dataSet.number(tags.planarConfiguration) === 1;
  if (pixels.tag !== pixelTags.integer) {
    const type = pixels.tag === pixelTags.float ? "float" : "double";
    const bits = type === "float" ? 32 : 64;
    const depth = { bitsAllocated: bits, bitsStored: bits, highBit: bits - 1, signed: true };
    return { ...shared, ...depth, type, planar, warnings };
  }
  return { ...shared, ...bitDepth(dataSet, warnings), type: "integer", planar, warnings };
}

function dimension(value: number | null, name: string): number {
  if (value === null) throw appError("dicom-damaged", `The header has no usable ${name}.`);
  if (!Number.isInteger(value) || value < 1 || value > 65_535) {
    throw appError("dicom-damaged", `${name} in the header is not a size of an image.`);
  }
  return value;
}

function guessedPhotometric(dataSet: DataSet, warnings: string[]): string {
  warnings.push("The header does not say how pixels are to be shown (Photometric Interpretation).");
  return dataSet.number(tags.samplesPerPixel) === 3 ? "RGB" : "MONOCHROME2";
}

function sampleCount(dataSet: DataSet, photometric: string): 1 | 3 {
  const grey = /^(MONOCHROME[12]|PALETTE COLOR)$/.test(photometric);
  const samples = dataSet.number(tags.samplesPerPixel) ?? (grey ? 1 : 3);
  if (samples !== 1 && samples !== 3) {
    throw appError("not-supported", `Images with ${samples} samples a pixel are not read.`);
  }
  if ((samples === 1) !== grey) {
    throw appError("photometric-not-supported", `${samples} samples a pixel do not go with ${photometric}.`);
  }
  return samples;
}

function bitDepth(
  dataSet: DataSet,
  warnings: string[],
): Pick<PixelDescription, "bitsAllocated" | "bitsStored" | "highBit" | "signed"> {
  const allocated = dataSet.number(tags.bitsAllocated);
  if (allocated === null) throw appError("dicom-damaged", "The header has no usable Bits Allocated.");
  if (![1, 8, 16, 32].includes(allocated)) {
    throw appError("not-supported", `Images with ${allocated} bits allocated are not read.`);
  }
  let stored = dataSet.number(tags.bitsStored) ?? allocated;
  if (!Number.isInteger(stored) || stored < 1 || stored > allocated) {
    warnings.push("Bits Stored makes no sense and was taken from Bits Allocated.");
    stored = allocated;
  }
  let high = dataSet.number(tags.highBit) ?? stored - 1;
  if (!Number.isInteger(high) || high < stored - 1 || high >= allocated) {
    warnings.push("High Bit makes no sense and was taken from Bits Stored.");
    high = stored - 1;
  }
  const signed = dataSet.number(tags.pixelRepresentation) === 1 && allocated > 1;
  return { bitsAllocated: allocated, bitsStored: stored, highBit: high, signed };
}
