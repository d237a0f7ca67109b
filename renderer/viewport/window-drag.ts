import type { PixelFrame } from "../../core/frame.ts";
import type { ViewVoi } from "../../core/view.ts";
import type { Point } from "./geometry.ts";
import { windowOf } from "./presentation.ts";

/**
 * The window after a drag: to the right it widens, downwards its centre rises (the image darkens). The step goes by
 * the width itself, so that a narrow window over floats and a wide one over 16 bits feel the same.
 */
export function draggedWindow(frame: PixelFrame, voi: ViewVoi | null, by: Point): ViewVoi {
  const start = windowOf(frame, voi);
  const smallest = frame.values instanceof Float32Array || frame.values instanceof Float64Array ? 1e-6 : 1;
  const width = Math.max(smallest, start.width * Math.exp(by.x / 220));
  const center = start.center + (by.y * Math.max(start.width, smallest)) / 320;
  return { kind: "window", center: tidy(center, width), width: tidy(width, width), function: start.function };
}

/** Rounded to what the window can show: whole numbers from a width of 50 on, finer below. */
function tidy(value: number, width: number): number {
  if (width >= 50) return Math.round(value);
  const unit = 10 ** (Math.floor(Math.log10(width)) - 2);
  return Math.round(value / unit) * unit;
}

/** "W 400 C 40", as short as the numbers allow. */
export function windowText(frame: PixelFrame, voi: ViewVoi | null): string {
  const shown = voi ?? null;
  if (shown?.kind === "none") return "Full range";
  if (shown?.kind === "lut") return tableText(frame, shown.index);
  if (!shown && frame.voiWindows.length === 0 && frame.voiTables.length > 0) return tableText(frame, 0);
  const { width, center, function: shape } = windowOf(frame, voi);
  const curve = shape === "SIGMOID" ? " sigmoid" : "";
  return `W ${numberText(width)} C ${numberText(center)}${curve}`;
}

function tableText(frame: PixelFrame, index: number): string {
  return `Table ${frame.voiTables[index]?.explanation || index + 1}`;
}

function numberText(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : `${Number(value.toPrecision(3))}`;
}
