import type { ModalityTransform, PixelFrame, VoiFunction } from "../../core/frame.ts";
import type { DataSet } from "./data-set.ts";
import { framePlacement, frameSpacing, groupItem, pixelAspect } from "./frame-groups.ts";
import { readPalette, readTable } from "./lookup-tables.ts";
import type { PixelDescription } from "./pixel-description.ts";
import { tags } from "./tags.ts";

/** Everything of a PixelFrame that is not its values. */
export type FrameAttributes = Pick<
  PixelFrame,
  | "modalityTransform"
  | "voiWindows"
  | "voiTables"
  | "palette"
  | "presentationInverse"
  | "padding"
  | "spacing"
  | "aspect"
  | "placement"
>;

/** The attributes that hold for one frame, from 1, functional groups first (PS3.3 C.7.6.16). */
export function frameAttributes(
  dataSet: DataSet,
  frame: number,
  pixels: PixelDescription,
): FrameAttributes & { warnings: string[] } {
  const warnings: string[] = [];
  const modalityTransform = readModality(dataSet, frame, pixels);
  const voi = groupItem(dataSet, frame, tags.frameVoi) ?? dataSet;
  const spacing = frameSpacing(dataSet, frame);
  const palette = pixels.photometric === "PALETTE COLOR" ? readPalette(dataSet, pixels.signed) : null;
  if (pixels.photometric === "PALETTE COLOR" && !palette) {
    warnings.push("The palette is missing or damaged; the image is shown in grey.");
  }
  return {
    modalityTransform,
    voiWindows: readWindows(voi, warnings),
    voiTables: readVoiTables(voi, { modalityTransform, pixels }),
    palette,
    presentationInverse: dataSet.string(tags.presentationLutShape) === "INVERSE",
    padding: readPadding(dataSet, pixels, warnings),
    spacing,
    aspect: pixelAspect(dataSet, spacing),
    placement: framePlacement(dataSet, frame),
    warnings,
  };
}

/** Modality LUT or Rescale (PS3.3 C.11.1); colour has none. */
function readModality(dataSet: DataSet, frame: number, pixels: PixelDescription): ModalityTransform {
  if (pixels.samples !== 1 || pixels.photometric === "PALETTE COLOR") return { type: "identity" };
  const lut = dataSet.items(tags.modalityLut)[0];
  const table = lut && readTable(lut, pixels.signed);
  if (lut && table) return { type: "table", table, unit: lut.string(tags.modalityLutType) };
  const group = groupItem(dataSet, frame, tags.pixelTransformation) ?? dataSet;
  const slope = group.number(tags.rescaleSlope);
  const intercept = group.number(tags.rescaleIntercept);
  if (slope === null && intercept === null) return { type: "identity" };
  const unit = group.string(tags.rescaleType) || (dataSet.string(tags.modality) === "CT" ? "HU" : "");
  // A slope of 0 would make every pixel the same; writers that leave it so mean none.
  return { type: "rescale", slope: slope || 1, intercept: intercept ?? 0, unit };
}

/** Window Center and Width pairs with their function (PS3.3 C.11.2.1.2, C.11.2.1.3). */
function readWindows(dataSet: DataSet, warnings: string[]): PixelFrame["voiWindows"] {
  const centers = dataSet.numbers(tags.windowCenter);
  const widths = dataSet.numbers(tags.windowWidth);
  const explanations = dataSet.strings(tags.windowExplanation);
  const name = dataSet.string(tags.voiFunction).toUpperCase();
  const voiFunction: VoiFunction = name === "SIGMOID" || name === "LINEAR_EXACT" ? name : "LINEAR";
  const windows: { center: number; width: number; function: VoiFunction; explanation: string }[] = [];
  for (let i = 0; i < Math.min(centers.length, widths.length, 64); i += 1) {
    const center = centers[i]!;
    const width = widths[i]!;
    if (!Number.isFinite(center) || !(width > 1e-9) || !Number.isFinite(width)) {
      warnings.push("A window of the header has no usable centre or width and was left out.");
      continue;
    }
    windows.push({ center, width, function: voiFunction, explanation: explanations[i] ?? "" });
  }
  return windows;
}

function readVoiTables(
  dataSet: DataSet,
  input: { modalityTransform: ModalityTransform; pixels: PixelDescription },
): PixelFrame["voiTables"] {
  const { modalityTransform: transform, pixels } = input;
  // The VOI LUT maps modality values: signed where those can be (PS3.3 C.11.2.1.1).
  const signed = transform.type === "rescale" ? pixels.signed || transform.intercept < 0 : pixels.signed;
  return dataSet
    .items(tags.voiLut)
    .slice(0, 16)
    .flatMap((item) => {
      const table = readTable(item, signed && transform.type !== "table");
      return table ? [{ table, explanation: item.string(tags.lutExplanation) }] : [];
    });
}

/** Pixel Padding Value and Range Limit, inclusive, in stored values (PS3.3 C.7.5.1.1.2). */
function readPadding(dataSet: DataSet, pixels: PixelDescription, warnings: string[]): PixelFrame["padding"] {
  if (pixels.samples !== 1 || pixels.photometric === "PALETTE COLOR") return null;
  const [valueTag, limitTag] = {
    integer: [tags.pixelPadding, tags.pixelPaddingLimit] as const,
    float: [tags.floatPadding, tags.floatPaddingLimit] as const,
    double: [tags.doublePadding, tags.doublePaddingLimit] as const,
  }[pixels.type];
  const value = dataSet.number(valueTag);
  if (value === null) return null;
  const limit = dataSet.number(limitTag) ?? value;
  const ends = [value, limit].map((end) => (pixels.type === "integer" ? asStored(end, pixels) : end));
  const low = Math.min(...(ends as number[]));
  const high = Math.max(...(ends as number[]));
  if (ends.includes(null)) {
    warnings.push("Pixel Padding Value does not fit the stored bits and was left out.");
    return null;
  }
  return { low, high };
}

/** The value as pixels hold it, whatever VR the writer chose; null where the stored bits cannot hold it. */
function asStored(value: number, pixels: PixelDescription): number | null {
  const bits = pixels.highBit + 1;
  const range = 2 ** bits;
  const word = 2 ** Math.max(16, pixels.bitsAllocated);
  const unsigned = value < 0 ? value + word : value;
  const signed = unsigned >= word / 2 ? unsigned - word : unsigned;
  if (!pixels.signed) return unsigned < range ? unsigned : null;
  return signed >= -range / 2 && signed < range / 2 ? signed : null;
}
