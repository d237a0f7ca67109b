import type { LookupTable, PixelFrame } from "./frame.ts";

/**
 * Stored value to modality value (PS3.3 C.11.1): Hounsfield units, SUV precursors, optical density and so on.
 * Rescale: `value * slope + intercept`. Table: entries below the first and above the last take the end values.
 */
export function modalityMapper(frame: Pick<PixelFrame, "modalityTransform">): (stored: number) => number {
  const transform = frame.modalityTransform;
  switch (transform.type) {
    case "identity":
      return (stored) => stored;
    case "rescale": {
      const { slope, intercept } = transform;
      return (stored) => stored * slope + intercept;
    }
    case "table":
      return (stored) => lookUp(transform.table, stored);
  }
}

/** PS3.3 C.11.1.1.1 and C.11.2.1.1: values outside the table take its first or last entry. */
export function lookUp(table: LookupTable, value: number): number {
  const last = table.values.length - 1;
  const index = Math.min(Math.max(Math.round(value) - table.firstMapped, 0), last);
  return table.values[index] ?? 0;
}

/** Whether a stored value stands for "no pixel here": padding (PS3.3 C.7.5.1.1.2) or not a number. */
export function isPadding(frame: Pick<PixelFrame, "padding">, stored: number): boolean {
  if (!Number.isFinite(stored)) return true;
  return frame.padding !== null && stored >= frame.padding.low && stored <= frame.padding.high;
}

/** Smallest and largest stored value outside the padding; null where every pixel is padding. */
export function storedRange(
  frame: Pick<PixelFrame, "padding" | "values">,
): { low: number; high: number } | null {
  let low = Infinity;
  let high = -Infinity;
  const { values, padding } = frame;
  const padLow = padding?.low ?? Infinity;
  const padHigh = padding?.high ?? -Infinity;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i]!;
    if (value >= padLow && value <= padHigh) continue;
    // Infinity and NaN occur in float maps; both comparisons are false for NaN.
    if (value < low && value !== -Infinity) low = value;
    if (value > high && value !== Infinity) high = value;
  }
  return low > high ? null : { low, high };
}
