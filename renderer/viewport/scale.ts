import type { PixelSpacing } from "../../core/frame.ts";

export interface ScaleBarLength {
  readonly millimetres: number;
  /** CSS px on the stage. */
  readonly length: number;
  readonly text: string;
}

const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500];

/**
 * The longest round length that fits into `room` px. The text says where the scale comes from: at the detector of a
 * projection, lengths are larger than in the patient (PS3.3 10.7.1.3).
 * Null without a spacing: then no bar is drawn.
 */
export function scaleBar(
  spacing: PixelSpacing | null,
  pxPerColumn: number,
  room: number,
): ScaleBarLength | null {
  if (!spacing || !(spacing.column > 0)) return null;
  const pxPerMillimetre = pxPerColumn / spacing.column;
  const millimetres = steps.findLast((step) => step * pxPerMillimetre <= room);
  if (millimetres === undefined) return null;
  const length = millimetres * pxPerMillimetre;
  const size = millimetres >= 10 ? `${millimetres / 10} cm` : `${millimetres} mm`;
  const origin = { pixel: "", imager: " at the detector", calibrated: " (calibrated)" }[spacing.source];
  return { millimetres, length, text: `${size}${origin}` };
}
