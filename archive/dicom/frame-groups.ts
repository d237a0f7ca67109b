import type { FramePosition, PixelSpacing } from "../../core/frame.ts";
import type { DataSet } from "./data-set.ts";
import { tags, type Tag } from "./tags.ts";

/** Modalities whose Imager Pixel Spacing is measured at the detector (PS3.3 10.7.1.3). */
const projections = new Set(["CR", "DX", "MG", "RF", "XA", "RG", "IO", "PX", "DR"]);

/** The item of a functional group that holds for a frame, from 1: its own, else the shared one (PS3.3 C.7.6.16). */
export function groupItem(dataSet: DataSet, frame: number, group: Tag): DataSet | null {
  const own = dataSet.items(tags.perFrameGroups)[frame - 1]?.items(group)[0];
  return own ?? dataSet.items(tags.sharedGroups)[0]?.items(group)[0] ?? null;
}

/** Where the frame lies in the patient; parts that are missing or no numbers are null. */
export function framePlacement(dataSet: DataSet, frame: number): FramePosition {
  const orientation = groupItem(dataSet, frame, tags.planeOrientation) ?? dataSet;
  const position = groupItem(dataSet, frame, tags.planePosition) ?? dataSet;
  const [row, column] = dataSet.strings(tags.patientOrientation);
  return {
    orientation: directionCosines(orientation.numbers(tags.imageOrientation)),
    position: triple(position.numbers(tags.imagePosition)),
    patientOrientation: row && column ? [row, column] : null,
  };
}

/**
 * Distances between pixel centres, in mm, and what they measure. Pixel Spacing of a projection is a length in the
 * patient only where it was calibrated, that is where it differs from Imager Pixel Spacing or says so.
 */
export function frameSpacing(dataSet: DataSet, frame: number): PixelSpacing | null {
  const measures = groupItem(dataSet, frame, tags.pixelMeasures);
  const pixel = pair((measures ?? dataSet).numbers(tags.pixelSpacing));
  const imager =
    pair(dataSet.numbers(tags.imagerPixelSpacing)) ?? pair(dataSet.numbers(tags.nominalScannedPixelSpacing));
  if (!pixel) return imager && { row: imager[0], column: imager[1], source: "imager" };
  const [row, column] = pixel;
  if (!projections.has(dataSet.string(tags.modality))) return { row, column, source: "pixel" };
  const differs = imager !== null && (imager[0] !== row || imager[1] !== column);
  const calibrated = dataSet.string(tags.calibrationType) !== "" || differs;
  return { row, column, source: calibrated ? "calibrated" : "imager" };
}

/** Vertical size of a pixel divided by its horizontal size; 1 where the header does not say. */
export function pixelAspect(dataSet: DataSet, spacing: PixelSpacing | null): number {
  const ratio = pair(dataSet.numbers(tags.pixelAspectRatio));
  if (ratio) return ratio[0] / ratio[1];
  return spacing ? spacing.row / spacing.column : 1;
}

/** Unit vectors at a right angle, within what scanners round; anything else would turn letters and distances wrong. */
function directionCosines(values: number[]): FramePosition["orientation"] {
  if (values.length < 6 || !values.slice(0, 6).every(Number.isFinite)) return null;
  const [a, b, c, d, e, f] = values as [number, number, number, number, number, number];
  const unit = (length: number) => Math.abs(length - 1) < 0.02;
  if (!unit(Math.hypot(a, b, c)) || !unit(Math.hypot(d, e, f))) return null;
  return Math.abs(a * d + b * e + c * f) < 0.02 ? [a, b, c, d, e, f] : null;
}

function triple(values: number[]): [number, number, number] | null {
  const [x, y, z] = values;
  if (x === undefined || y === undefined || z === undefined) return null;
  return [x, y, z].every(Number.isFinite) ? [x, y, z] : null;
}

function pair(values: number[]): [number, number] | null {
  const [first, second] = values;
  if (first === undefined || second === undefined) return null;
  const usable = (value: number) => Number.isFinite(value) && value > 0 && value < 1e6;
  return usable(first) && usable(second) ? [first, second] : null;
}
