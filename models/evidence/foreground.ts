import type { Rectangle } from "../../core/view.ts";
import type { FillArea } from "./fills.ts";
import { planeOf } from "./plane.ts";

/**
 * The part of an image that is not background (docs/grounding.md, GRD-11): background is flat and as dark (or, in
 * an inverted image, as bright) as the extremes of the shown part. Windows are placed on the rest only.
 */
export interface Foreground {
  /** Bounds in model input pixels, whole numbers. */
  readonly bounds: Rectangle;
  /** Foreground pixels. */
  readonly area: number;
  /** Share of a rectangle (model input pixels) that is foreground, 0..1. */
  share(rectangle: Rectangle): number;
}

/** Grey levels: JPEG noise in a black border stays below. */
const flatRange = 8;
const extremeRange = 10;
/** Of the long side. */
const neighbourShare = 0.02;

export function findForeground(area: FillArea): Foreground {
  const { content, input } = area;
  const { width, height } = content;
  const { values } = planeOf(input, content, 0);
  const { low, high } = extremes(values);
  const radius = Math.max(1, Math.round((neighbourShare * Math.max(width, height)) / 2));
  const smallest = slidingExtreme(values, { width, height, radius, sign: 1 });
  const largest = slidingExtreme(values, { width, height, radius, sign: -1 });

  const mask = new Uint8Array(values.length);
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    const flat = largest[i]! - smallest[i]! <= flatRange;
    const extreme = values[i]! <= low + extremeRange || values[i]! >= high - extremeRange;
    mask[i] = flat && extreme ? 0 : 1;
    count += mask[i]!;
  }
  // A blank image has no foreground: then all of it is searched, so that "nothing found" is a result of the search.
  if (count < 0.02 * mask.length) {
    mask.fill(1);
    count = mask.length;
  }
  return foregroundOf(mask, count, content);
}

function foregroundOf(mask: Uint8Array, count: number, content: Rectangle): Foreground {
  const { width, height } = content;
  const sums = summedArea(mask, width, height);
  const inBox = (left: number, top: number, right: number, bottom: number) =>
    sums[bottom * (width + 1) + right]! -
    sums[top * (width + 1) + right]! -
    sums[bottom * (width + 1) + left]! +
    sums[top * (width + 1) + left]!;

  // Bounds that a few stray pixels (a marker, dust) do not stretch: rows and columns with under 2 % are left out.
  const rowsUsed = used(height, (row) => inBox(0, row, width, row + 1) >= 0.02 * width);
  const columnsUsed = used(width, (column) => inBox(column, 0, column + 1, height) >= 0.02 * height);
  const bounds = {
    x: content.x + columnsUsed.first,
    y: content.y + rowsUsed.first,
    width: columnsUsed.last - columnsUsed.first + 1,
    height: rowsUsed.last - rowsUsed.first + 1,
  };
  return {
    bounds,
    area: count,
    share(rectangle) {
      const left = clamp(Math.round(rectangle.x - content.x), width);
      const top = clamp(Math.round(rectangle.y - content.y), height);
      const right = clamp(Math.round(rectangle.x + rectangle.width - content.x), width);
      const bottom = clamp(Math.round(rectangle.y + rectangle.height - content.y), height);
      const pixels = (right - left) * (bottom - top);
      return pixels > 0 ? inBox(left, top, right, bottom) / pixels : 0;
    },
  };
}

/** 1st and 99th percentile of 8-bit values. */
function extremes(values: Float32Array): { low: number; high: number } {
  const counts = new Uint32Array(256);
  for (const value of values) counts[value]!++;
  const at = (share: number) => {
    let seen = 0;
    for (let level = 0; level < 256; level++) {
      seen += counts[level]!;
      if (seen > share * values.length) return level;
    }
    return 255;
  };
  return { low: at(0.01), high: at(0.99) };
}

/** The smallest (sign 1) or largest (sign -1) value of the square around each pixel: along rows, then down columns. */
function slidingExtreme(
  values: Float32Array,
  { width, height, radius, sign }: { width: number; height: number; radius: number; sign: 1 | -1 },
): Float32Array {
  const turned = values.map((value) => sign * value);
  const across = slideSmallest(turned, { lines: height, length: width, line: width, step: 1 }, radius);
  const down = slideSmallest(across, { lines: width, length: height, line: 1, step: width }, radius);
  return sign === 1 ? down : down.map((value) => -value);
}

/** Along lines: `lines` of them start `line` apart, their `length` values lie `step` apart. */
function slideSmallest(
  values: Float32Array,
  { lines, length, line, step }: { lines: number; length: number; line: number; step: number },
  radius: number,
): Float32Array {
  const result = new Float32Array(values.length);
  for (let number = 0; number < lines; number++) {
    const start = number * line;
    for (let index = 0; index < length; index++) {
      const last = Math.min(length - 1, index + radius);
      let best = Infinity;
      for (let at = Math.max(0, index - radius); at <= last; at++) {
        const value = values[start + at * step]!;
        if (value < best) best = value;
      }
      result[start + index * step] = best;
    }
  }
  return result;
}

function summedArea(mask: Uint8Array, width: number, height: number): Uint32Array {
  const sums = new Uint32Array((width + 1) * (height + 1));
  for (let row = 0; row < height; row++) {
    let line = 0;
    for (let column = 0; column < width; column++) {
      line += mask[row * width + column]!;
      sums[(row + 1) * (width + 1) + column + 1] = sums[row * (width + 1) + column + 1]! + line;
    }
  }
  return sums;
}

function used(length: number, test: (index: number) => boolean): { first: number; last: number } {
  let first = 0;
  while (first < length - 1 && !test(first)) first++;
  let last = length - 1;
  while (last > first && !test(last)) last--;
  return last > first ? { first, last } : { first: 0, last: length - 1 };
}

function clamp(value: number, limit: number): number {
  return Math.max(0, Math.min(limit, value));
}
