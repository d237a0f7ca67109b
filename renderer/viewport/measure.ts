import type { FrameRef, PixelFrame } from "../../core/frame.ts";
import { isPadding, modalityMapper } from "../../core/modality.ts";
import type { Point } from "./geometry.ts";

/** A length that was drawn on one frame; ends in pixels of the stored frame, origin at the top left corner. */
export interface Measurement {
  readonly ref: FrameRef;
  readonly from: Point;
  readonly to: Point;
}

/**
 * mm only where the spacing is one in the patient: Pixel Spacing of a slice, or a projection that says it was
 * calibrated. At the detector of a projection everything is magnified (PS3.3 10.7.1.3), so there it is pixels, as it
 * is without any spacing.
 */
export function lengthText(
  spacing: PixelFrame["spacing"],
  { from, to }: Pick<Measurement, "from" | "to">,
): string {
  const columns = to.x - from.x;
  const rows = to.y - from.y;
  if (!spacing || spacing.source === "imager") return `${Math.hypot(columns, rows).toFixed(1)} px`;
  const millimetres = Math.hypot(columns * spacing.column, rows * spacing.row);
  return `${millimetres.toFixed(1)} mm${spacing.source === "calibrated" ? " (calibrated)" : ""}`;
}

/** Column and row from 0 and the value there, as "x 12  y 40  -512 HU"; null outside the image. */
export function pixelText(frame: PixelFrame, at: Point): string | null {
  const column = Math.floor(at.x);
  const row = Math.floor(at.y);
  if (column < 0 || row < 0 || column >= frame.columns || row >= frame.rows) return null;
  return `x ${column}  y ${row}  ${valueText(frame, row * frame.columns + column)}`;
}

function valueText(frame: PixelFrame, index: number): string {
  const { samplesPerPixel, values, modalityTransform } = frame;
  if (samplesPerPixel === 3) return [0, 1, 2].map((sample) => values[index * 3 + sample]).join(" / ");
  const stored = values[index]!;
  if (isPadding(frame, stored)) return "no value";
  // Stored palette indices and the values behind a missing transform have no unit; "US" means "unspecified".
  const unit = modalityTransform.type === "identity" ? "" : modalityTransform.unit;
  const value = modalityMapper(frame)(stored);
  return `${numberText(value)}${unit === "" || unit === "US" ? "" : ` ${unit}`}`;
}

function numberText(value: number): string {
  return Number.isInteger(value) ? `${value}` : `${Number(value.toPrecision(4))}`;
}
