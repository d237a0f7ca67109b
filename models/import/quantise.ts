import { floatToHalf, halfToFloatTable } from "./half-float.ts";

/**
 * Integer weights in blocks along a row, as MatMulNBits reads them (onnxruntime, ContribOperators.md): a weight is
 * `scale × (q − zero)`.
 *
 * - `symmetric`: zero is the middle of the range.
 * - `asymmetric`: a whole-number zero for each block (4 bits only).
 * - `shifted`: asymmetric, and what the rounding of the zero took from each block's mean is put back by extra columns
 *   that multiply the block sums of the input (4 bits only). This holds GGUF's Q4_1 (scale and minimum) almost exactly
 *   in a kernel that has only whole zeros.
 * - 6 bits are unpacked to 8 when the model is loaded; they are a storage format for the token embedding. The first
 *   `finerRows` rows may keep the two bits below as well (`finerBits`), which makes 8 of them.
 */
export interface QuantScheme {
  readonly bits: 4 | 6 | 8;
  /** Values that share a scale: a power of two from 16. */
  readonly block: number;
  readonly zero: "symmetric" | "asymmetric" | "shifted";
  /** Rows from the first on that keep two more bits (6 bits only); 0 where absent. */
  readonly finerRows?: number;
}

export interface MatrixShape {
  readonly rows: number;
  readonly columns: number;
}

/** Scales are bytes of a row's own step: 8 bits a block and 16 a row, instead of the kernel's 32 bits a block. */
export interface QuantisedRows {
  /** [rows, columns of the kernel] as numbers from 0 to 2^bits − 1, not yet packed. */
  readonly values: Uint8Array;
  /** [rows, blocks of the kernel] */
  readonly scales: Uint8Array;
  /** [rows], bits of half-precision numbers: scale = step × byte. */
  readonly steps: Uint16Array;
  /** [rows, blocks of the kernel] */
  readonly zeros: Uint8Array;
}

/** Columns that the kernel multiplies: the matrix's own, and for `shifted` one for each block, rounded up to blocks. */
export function kernelColumns(columns: number, { block, zero }: QuantScheme): number {
  return zero === "shifted" ? columns + Math.ceil(columns / block / block) * block : columns;
}

/** Two bits below a 6-bit number, 0 to 3, stand for -2 to 1. */
export const finerOffset = 2;

/**
 * The two bits below 6-bit numbers: with `scale` of the unpacked numbers (a quarter of the 6-bit one), a weight is
 * `scale × (4 × (value − 32) + finer − 2)`.
 */
export function finerBits(
  weights: Float32Array,
  quantised: QuantisedRows,
  { columns, block, steps }: { columns: number; block: number; steps: Uint16Array },
): Uint8Array {
  const blocks = columns / block;
  return Uint8Array.from(weights, (weight, i) => {
    const row = Math.floor(i / columns);
    const step = halfToFloatTable()[steps[row] as number] as number;
    const byte = quantised.scales[row * blocks + Math.floor((i % columns) / block)] as number;
    const coarse = 4 * (quantised.values[i] as number);
    const wanted = Math.round(weight / (step * byte)) + 128;
    return clamp(wanted - coarse + finerOffset, 0, 3);
  });
}

/** Ranges tried, as fractions of the block's own: a narrower one clips its extremes for finer steps. */
const rangeFractions = [1, 0.97, 0.94, 0.91, 0.88, 0.85, 0.82, 0.79];
const tiny = 2 ** -24;

/** Quantises whole rows; scale and zero of each block are searched for the least squared error. */
export function quantiseRows(weights: Float32Array, shape: MatrixShape, scheme: QuantScheme): QuantisedRows {
  const width = kernelColumns(shape.columns, scheme);
  const blocks = width / scheme.block;
  const result: QuantisedRows = {
    values: new Uint8Array(shape.rows * width),
    scales: new Uint8Array(shape.rows * blocks),
    steps: new Uint16Array(shape.rows),
    zeros: new Uint8Array(shape.rows * blocks).fill(2 ** (scheme.bits - 1)),
  };
  for (let row = 0; row < shape.rows; row++) {
    quantiseRow(weights.subarray(row * shape.columns, (row + 1) * shape.columns), scheme, {
      values: result.values.subarray(row * width, (row + 1) * width),
      scales: result.scales.subarray(row * blocks, (row + 1) * blocks),
      steps: result.steps.subarray(row, row + 1),
      zeros: result.zeros.subarray(row * blocks, (row + 1) * blocks),
    });
  }
  return result;
}

function quantiseRow(weights: Float32Array, scheme: QuantScheme, out: QuantisedRows): void {
  const { block, bits } = scheme;
  const blocks = weights.length / block;
  const grids: BlockGrid[] = [];
  for (let index = 0; index < blocks; index++) {
    grids.push(searchBlock(weights, index * block, scheme));
  }
  const largest = grids.reduce((most, grid) => Math.max(most, grid.scale), tiny);
  const half = Math.max(floatToHalf(largest / 255), 1);
  const step = halfToFloatTable()[half] as number;
  out.steps[0] = half;
  const levels = 2 ** bits - 1;
  const shifts = new Float32Array(blocks);
  for (let index = 0; index < blocks; index++) {
    const { scale: wanted, low } = grids[index] as BlockGrid;
    const byte = clamp(Math.round(wanted / step), 1, 255);
    const scale = byte * step;
    const zero = scheme.zero === "symmetric" ? 2 ** (bits - 1) : clamp(Math.round(-low / scale), 0, levels);
    out.scales[index] = byte;
    out.zeros[index] = zero;
    let left = 0;
    for (let i = index * block; i < (index + 1) * block; i++) {
      const weight = weights[i] as number;
      // With the shift put back later, values stand on the searched grid, wherever its zero is.
      const q = scheme.zero === "shifted" ? (weight - low) / wanted : weight / scale + zero;
      const value = clamp(Math.round(q), 0, levels);
      out.values[i] = value;
      left += weight - (value - zero) * scale;
    }
    shifts[index] = left / block;
  }
  if (scheme.zero === "shifted") storeShifts(shifts, step, { columns: weights.length, scheme, out });
}

interface ShiftPlace {
  readonly columns: number;
  readonly scheme: QuantScheme;
  readonly out: QuantisedRows;
}

/** The shifts as weights of the extra columns, symmetric, with the row's step. */
function storeShifts(shifts: Float32Array, step: number, { columns, scheme, out }: ShiftPlace): void {
  const { block, bits } = scheme;
  const middle = 2 ** (bits - 1);
  out.values.fill(middle, columns);
  for (let first = 0; first < shifts.length; first += block) {
    const part = shifts.subarray(first, first + block);
    const largest = part.reduce((most, shift) => Math.max(most, Math.abs(shift)), 0);
    const index = (columns + first) / block;
    const byte = clamp(Math.ceil(largest / (middle - 0.5) / step), 1, 255);
    out.scales[index] = byte;
    out.zeros[index] = middle;
    part.forEach((shift, i) => {
      out.values[columns + first + i] = clamp(Math.round(shift / (byte * step)) + middle, 0, 2 ** bits - 1);
    });
  }
}

/** A block's grid before its numbers are rounded: weights are `low + scale × q`. */
interface BlockGrid {
  readonly scale: number;
  readonly low: number;
}

/**
 * The grid of the block of `weights` that begins at `start`. Most of an import's time is spent here: plain loops over
 * numbers, because views, iterators and objects for each trial cost more than the search itself.
 */
function searchBlock(weights: Float32Array, start: number, { bits, zero, block }: QuantScheme): BlockGrid {
  const end = start + block;
  const levels = 2 ** bits - 1;
  let low = Infinity;
  let high = -Infinity;
  for (let i = start; i < end; i++) {
    low = Math.min(low, weights[i] as number);
    high = Math.max(high, weights[i] as number);
  }
  if (zero === "symmetric") {
    high = Math.max(Math.abs(low), Math.abs(high));
    low = -high;
  }
  let bestScale = Math.max((high - low) / levels, tiny);
  let bestLow = low;
  let least = Infinity;
  const range = { low, high, bits, zero };
  for (let trial = zero === "asymmetric" ? ownScale : 0; trial < rangeFractions.length; trial++) {
    const scale = Math.max(scaleOf(trial, range), tiny);
    const trialLow = lowOf(trial, scale, range);
    const inverse = 1 / scale;
    let error = 0;
    // A sum that is the larger one already need not be finished.
    for (let i = start; i < end && error < least; i++) {
      const weight = weights[i] as number;
      const q = clamp(Math.round((weight - trialLow) * inverse), 0, levels);
      const difference = trialLow + scale * q - weight;
      error += difference * difference;
    }
    if (error < least) {
      least = error;
      bestScale = scale;
      bestLow = trialLow;
    }
    // The source is on such a grid already (Q4_0, Q4_1): no narrower one can be better.
    if (least <= (scale * 0.02) ** 2 * block) break;
  }
  return { scale: bestScale, low: bestLow };
}

interface BlockRange extends Pick<QuantScheme, "bits" | "zero"> {
  readonly low: number;
  readonly high: number;
}

/**
 * The trial before those of `rangeFractions`, as Q4_0 has it: the value farthest from zero takes the end of the numbers
 * that reaches farther.
 */
const ownScale = -1;

function scaleOf(trial: number, { low, high, bits, zero }: BlockRange): number {
  if (trial === ownScale) return Math.max(-low, high) / 2 ** (bits - 1);
  const width = (high - low) * (rangeFractions[trial] as number);
  return zero === "symmetric" ? width / 2 / (2 ** (bits - 1) - 0.5) : width / (2 ** bits - 1);
}

/** What the number 0 stands for on a grid of this step around the block's range. */
function lowOf(trial: number, scale: number, { low, high, bits, zero }: BlockRange): number {
  const middle = 2 ** (bits - 1);
  if (zero === "symmetric") return -scale * middle;
  if (trial === ownScale) return -scale * (-low > high ? middle : middle - 1);
  const levels = 2 ** bits - 1;
  const start = (low + high) / 2 - (scale * levels) / 2;
  return zero === "shifted" ? start : -scale * clamp(Math.round(-start / scale), 0, levels);
}

function clamp(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}

/** Two 4-bit numbers a byte, the earlier in the low half; a row of an odd number ends with an empty half. */
export function packNibbles(values: Uint8Array, { rows, columns }: MatrixShape): Uint8Array {
  const width = Math.ceil(columns / 2);
  const bytes = new Uint8Array(rows * width);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < columns; i++) {
      const at = row * width + (i >> 1);
      bytes[at] = (bytes[at] as number) | ((values[row * columns + i] as number) << ((i & 1) * 4));
    }
  }
  return bytes;
}

/**
 * 6-bit numbers as two planes that a graph can unpack with shifts and one concatenation: the upper four bits of column
 * i beside those of column i + columns/2 in a byte; the lower two of columns i, i + columns/4, and so on in another.
 */
export function packSixBits(
  values: Uint8Array,
  { rows, columns }: MatrixShape,
): { high: Uint8Array; low: Uint8Array } {
  const high = new Uint8Array((rows * columns) / 2);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < columns; i++) {
      const at = (row * columns) / 2 + (i % (columns / 2));
      const upper = (values[row * columns + i] as number) >> 2;
      high[at] = (high[at] as number) | (upper << (i < columns / 2 ? 0 : 4));
    }
  }
  return { high, low: packTwoBits(values, { rows, columns }) };
}

/** The lowest two bits of each number: those of columns i, i + columns/4, and so on in a byte, the first lowest. */
export function packTwoBits(values: Uint8Array, { rows, columns }: MatrixShape): Uint8Array {
  const packed = new Uint8Array((rows * columns) / 4);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < columns; i++) {
      const at = (row * columns) / 4 + (i % (columns / 4));
      const lowest = (values[row * columns + i] as number) & 3;
      packed[at] = (packed[at] as number) | (lowest << (2 * Math.floor(i / (columns / 4))));
    }
  }
  return packed;
}
