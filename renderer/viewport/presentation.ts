import type { PixelFrame } from "../../core/frame.ts";
import { shownInverse } from "../../core/render-frame.ts";
import type { ViewVoi } from "../../core/view.ts";
import { defaultVoi } from "../../core/voi.ts";

export interface Presentation {
  /** Null: the frame's default. */
  readonly voi: ViewVoi | null;
  readonly invert: boolean;
}

/**
 * How the WebGL surface shows a frame. `window`: the stored values go to the graphics card and are mapped linearly
 * between two stored values there. `rendered`: core/render-frame.ts makes the picture, because the mapping is not a
 * straight line over the stored values (colour, palette, sigmoid, tables, padding, float).
 */
export type SurfacePlan =
  | { readonly kind: "window"; readonly lower: number; readonly upper: number; readonly invert: boolean }
  | { readonly kind: "rendered" };

const rendered: SurfacePlan = { kind: "rendered" };

export function planSurface(frame: PixelFrame, presentation: Presentation): SurfacePlan {
  if (frame.samplesPerPixel !== 1 || frame.photometric === "PALETTE COLOR" || frame.padding) return rendered;
  const { values, modalityTransform } = frame;
  if (!(values instanceof Uint8Array || values instanceof Uint16Array || values instanceof Int16Array)) {
    return rendered;
  }
  if (modalityTransform.type === "table") return rendered;
  const bounds = windowBounds(presentation.voi ?? defaultVoi(frame));
  if (!bounds) return rendered;
  const { slope, intercept } =
    modalityTransform.type === "rescale" ? modalityTransform : { slope: 1, intercept: 0 };
  if (slope === 0) return rendered;
  const low = (bounds.low - intercept) / slope;
  const high = (bounds.high - intercept) / slope;
  const inverse = shownInverse(frame) !== presentation.invert;
  // A falling modality line swaps the ends: bright and dark change places.
  return low < high
    ? { kind: "window", lower: low, upper: high, invert: inverse }
    : { kind: "window", lower: high, upper: low, invert: !inverse };
}

/**
 * The modality values at which a linear window reaches black and white (PS3.3 C.11.2.1.2.1, C.11.2.1.3.2); null
 * where the mapping is not linear or has no extent.
 */
export function windowBounds(voi: ViewVoi): { readonly low: number; readonly high: number } | null {
  if (voi.kind !== "window" || voi.function === "SIGMOID") return null;
  const { center, width } = voi;
  if (voi.function === "LINEAR" && width >= 1) {
    if (width === 1) return null;
    return { low: center - 0.5 - (width - 1) / 2, high: center - 0.5 + (width - 1) / 2 };
  }
  return { low: center - width / 2, high: center + width / 2 };
}

/** Whether a window does anything: colour and palette images have none (PS3.3 C.11.2). */
export function hasWindow(frame: PixelFrame): boolean {
  return frame.samplesPerPixel === 1 && frame.photometric !== "PALETTE COLOR";
}

/** The window as centre and width in modality values, also where the frame is shown by a table or its full range. */
export function windowOf(frame: PixelFrame, voi: ViewVoi | null): Extract<ViewVoi, { kind: "window" }> {
  const shown = voi ?? defaultVoi(frame);
  if (shown.kind === "window") return shown;
  const table = shown.kind === "lut" ? frame.voiTables[shown.index]?.table : undefined;
  if (table) {
    const width = Math.max(1, table.values.length);
    return { kind: "window", center: table.firstMapped + width / 2, width, function: "LINEAR" };
  }
  const fallback = defaultVoi({ ...frame, voiWindows: [], voiTables: [] });
  return fallback.kind === "window"
    ? fallback
    : { kind: "window", center: 128, width: 256, function: "LINEAR" };
}

/** Height of a shown pixel divided by its width: from the spacing where there is one, else Pixel Aspect Ratio. */
export function pixelAspect(frame: PixelFrame): number {
  const { spacing } = frame;
  if (spacing && spacing.row > 0 && spacing.column > 0) return spacing.row / spacing.column;
  return frame.aspect > 0 ? frame.aspect : 1;
}
