import { appError } from "./errors.ts";
import type { LookupTable, PixelFrame } from "./frame.ts";
import { isPadding, lookUp, modalityMapper, storedRange } from "./modality.ts";
import type { ViewVoi } from "./view.ts";

type Window = Extract<ViewVoi, { kind: "window" }>;

/**
 * Modality value to display level 0..255, not yet rounded and not yet inverted (PS3.3 C.11.2).
 * `none` spreads the frame's own range, padding left out, over all levels.
 * @throws bad-input where the frame has no VOI table of that index.
 */
export function voiMapper(frame: PixelFrame, voi: ViewVoi): (value: number) => number {
  switch (voi.kind) {
    case "window":
      return windowMapper(voi);
    case "lut": {
      const entry = frame.voiTables[voi.index];
      if (!entry) throw appError("bad-input", `This image has no VOI LUT ${voi.index}.`);
      return tableMapper(entry.table);
    }
    case "none":
      return windowMapper(rangeWindow(frame));
  }
}

/**
 * The window a frame is first shown with: the header's first window, else its first VOI LUT, else the 1st to 99th
 * percentile of its modality values without padding. Colour has none: VOI applies to grey alone.
 */
export function defaultVoi(frame: PixelFrame): ViewVoi {
  if (frame.samplesPerPixel !== 1 || frame.photometric === "PALETTE COLOR") return { kind: "none" };
  const window = frame.voiWindows[0];
  if (window) {
    const { center, width } = window;
    return { kind: "window", center, width, function: window.function };
  }
  if (frame.voiTables.length > 0) return { kind: "lut", index: 0 };
  return percentileWindow(frame);
}

/**
 * With y from 0 to 255 and the window's centre c and width w:
 * - LINEAR (C.11.2.1.2.1): `((x - (c - 0.5)) / (w - 1) + 0.5) * 255`, clamped;
 * - LINEAR_EXACT (C.11.2.1.3.2): `((x - c) / w + 0.5) * 255`, clamped;
 * - SIGMOID (C.11.2.1.3.1): `255 / (1 + exp(-4 * (x - c) / w))`.
 * LINEAR needs w >= 1; files with less (float maps) mean LINEAR_EXACT.
 */
function windowMapper(window: Window): (value: number) => number {
  const { center, width } = window;
  if (window.function === "SIGMOID") return (value) => 255 / (1 + Math.exp((-4 * (value - center)) / width));
  if (window.function === "LINEAR" && width >= 1) {
    const low = center - 0.5 - (width - 1) / 2;
    const high = center - 0.5 + (width - 1) / 2;
    const middle = center - 0.5;
    // As the standard writes it: another order of operations rounds exact halves the other way.
    return (value) => (value <= low ? 0 : value > high ? 255 : ((value - middle) / (width - 1) + 0.5) * 255);
  }
  const low = center - width / 2;
  const high = center + width / 2;
  return (value) => (value <= low ? 0 : value > high ? 255 : ((value - center) / width + 0.5) * 255);
}

/** Entries have `bits` bits; a table that holds more than its descriptor says is scaled by what it holds. */
function tableMapper(table: LookupTable): (value: number) => number {
  let highest = 2 ** table.bits - 1;
  for (const value of table.values) if (value > highest) highest = value;
  const scale = 255 / highest;
  return (value) => lookUp(table, value) * scale;
}

function rangeWindow(frame: PixelFrame): Window {
  const range = storedRange(frame);
  if (!range) return spanWindow(0, 1);
  const toModality = modalityMapper(frame);
  if (frame.modalityTransform.type !== "table")
    return spanWindow(toModality(range.low), toModality(range.high));
  let low = Infinity;
  let high = -Infinity;
  for (const value of frame.modalityTransform.table.values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return spanWindow(low, high);
}

function percentileWindow(frame: PixelFrame): Window {
  const sorted = sampledModalityValues(frame);
  if (sorted.length === 0) return spanWindow(0, 1);
  const low = nearestRank(sorted, 0.01);
  const high = nearestRank(sorted, 0.99);
  // Mostly empty frames (a small mark on zero) have no spread between the percentiles.
  return low < high ? spanWindow(low, high) : spanWindow(sorted[0]!, sorted[sorted.length - 1]!);
}

/** Up to about a quarter of a million values, evenly spaced: the same frame always gives the same window. */
function sampledModalityValues(frame: PixelFrame): Float64Array {
  const { values } = frame;
  const step = Math.max(1, Math.floor(values.length / 2 ** 18));
  const toModality = modalityMapper(frame);
  const kept = new Float64Array(Math.ceil(values.length / step));
  let count = 0;
  for (let i = 0; i < values.length; i += step) {
    const stored = values[i]!;
    if (isPadding(frame, stored)) continue;
    kept[count] = toModality(stored);
    count += 1;
  }
  return kept.subarray(0, count).toSorted();
}

function nearestRank(sorted: Float64Array, part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(part * sorted.length) - 1))]!;
}

function spanWindow(one: number, other: number): Window {
  const low = Math.min(one, other);
  const high = Math.max(one, other);
  const width = high - low;
  return {
    kind: "window",
    center: low + width / 2,
    width: width > 1e-9 ? width : 1,
    function: "LINEAR_EXACT",
  };
}
