import { describe, expect, it } from "vitest";
import { floatToHalf, halfToFloatTable } from "../../../../models/import/half-float.ts";
import {
  finerBits,
  finerOffset,
  kernelColumns,
  packNibbles,
  packSixBits,
  quantiseRows,
  type QuantScheme,
} from "../../../../models/import/quantise.ts";
import { normals } from "../tiny-decoder.ts";

const shape = { rows: 4, columns: 128 };

function randomWeights(seed: number): Float32Array {
  const random = normals(seed);
  return Float32Array.from({ length: shape.rows * shape.columns }, () => random() * 0.1);
}

/** What the kernel multiplies with, the extra columns of a shifted matrix put back into their blocks. */
function restored(weights: Float32Array, scheme: QuantScheme): Float32Array {
  const { values, scales, steps, zeros } = quantiseRows(weights, shape, scheme);
  const width = kernelColumns(shape.columns, scheme);
  const blocks = width / scheme.block;
  const value = (row: number, column: number) => {
    const block = row * blocks + Math.floor(column / scheme.block);
    const step = halfToFloatTable()[steps[row] as number] as number;
    return (
      ((values[row * width + column] as number) - (zeros[block] as number)) * (scales[block] as number) * step
    );
  };
  return weights.map((_, i) => {
    const row = Math.floor(i / shape.columns);
    const column = i % shape.columns;
    const shift =
      scheme.zero === "shifted" ? value(row, shape.columns + Math.floor(column / scheme.block)) : 0;
    return value(row, column) + shift;
  });
}

function relativeError(weights: Float32Array, scheme: QuantScheme): number {
  const back = restored(weights, scheme);
  let error = 0;
  let whole = 0;
  weights.forEach((weight, i) => {
    error += (weight - (back[i] as number)) ** 2;
    whole += weight ** 2;
  });
  return Math.sqrt(error / whole);
}

describe("block-wise integers", () => {
  it.each([
    [{ bits: 4, block: 32, zero: "symmetric" }, 0.12],
    [{ bits: 4, block: 32, zero: "asymmetric" }, 0.1],
    [{ bits: 4, block: 32, zero: "shifted" }, 0.09],
    [{ bits: 6, block: 64, zero: "symmetric" }, 0.035],
    [{ bits: 8, block: 32, zero: "symmetric" }, 0.008],
  ] as const)("%o lose less than %d of random weights", (scheme, limit) => {
    expect(relativeError(randomWeights(3), scheme)).toBeLessThan(limit);
  });

  it("with a shift hold weights of the form scale × q + minimum almost exactly", () => {
    const random = normals(5);
    const weights = new Float32Array(shape.rows * shape.columns);
    for (let first = 0; first < weights.length; first += 32) {
      const scale = 0.01 + 0.002 * Math.abs(random());
      const minimum = -scale * (7 + random());
      for (let i = 0; i < 32; i++)
        weights[first + i] = scale * (i < 16 ? i : Math.abs(Math.round(random() * 5)) % 16) + minimum;
    }
    expect(relativeError(weights, { bits: 4, block: 32, zero: "shifted" })).toBeLessThan(0.02);
    expect(relativeError(weights, { bits: 4, block: 32, zero: "asymmetric" })).toBeGreaterThan(0.02);
  });

  it("hold weights of the form scale × (q − 8), the scale of either sign, almost exactly with whole zeros", () => {
    const random = normals(6);
    const weights = new Float32Array(shape.rows * shape.columns);
    for (let first = 0; first < weights.length; first += 32) {
      const scale = (0.01 + 0.002 * Math.abs(random())) * (first % 64 === 0 ? 1 : -1);
      // One at the end that reaches farther, and none at the other.
      for (let i = 0; i < 32; i++)
        weights[first + i] =
          scale * ((i === 9 ? 0 : 3 + Math.min(9, Math.round(Math.abs(random()) * 4))) - 8);
    }
    expect(relativeError(weights, { bits: 4, block: 32, zero: "asymmetric" })).toBeLessThan(0.005);
    expect(relativeError(weights, { bits: 4, block: 32, zero: "symmetric" })).toBeGreaterThan(0.02);
  });

  it("keep rows of zeros zero", () => {
    const zeros = new Float32Array(shape.rows * shape.columns);
    for (const zero of ["symmetric", "asymmetric", "shifted"] as const) {
      const back = restored(zeros, { bits: 4, block: 32, zero });
      expect(Math.max(...back.map(Math.abs))).toBeLessThan(1e-6);
    }
  });

  it("of 6 bits lose less than half as much with the two bits below", () => {
    const weights = randomWeights(3);
    const scheme = { bits: 6, block: 64, zero: "symmetric" } as const;
    const coarse = quantiseRows(weights, shape, scheme);
    const steps = coarse.steps.map((bits) => floatToHalf((halfToFloatTable()[bits] as number) / 4));
    const bits = finerBits(weights, coarse, { columns: shape.columns, block: 64, steps });
    expect(Math.max(...bits)).toBeLessThanOrEqual(3);
    let error = 0;
    weights.forEach((weight, i) => {
      const scale =
        (halfToFloatTable()[steps[Math.floor(i / shape.columns)] as number] as number) *
        (coarse.scales[Math.floor(i / 64)] as number);
      const value = 4 * ((coarse.values[i] as number) - 32) + (bits[i] as number) - finerOffset;
      error += (weight - scale * value) ** 2;
    });
    const whole = weights.reduce((sum, weight) => sum + weight ** 2, 0);
    expect(Math.sqrt(error / whole)).toBeLessThan(relativeError(weights, scheme) / 2);
  });

  it("pack two 4-bit numbers a byte, the earlier in the low half", () => {
    expect([...packNibbles(Uint8Array.of(1, 2, 15, 4, 5, 6), { rows: 2, columns: 3 })]).toEqual([
      0x21, 15, 0x54, 6,
    ]);
  });

  it("pack 6-bit numbers into planes that give them back", () => {
    const numbers = Uint8Array.from({ length: 16 }, (_, i) => (i * 23) % 64);
    const { high, low } = packSixBits(numbers, { rows: 2, columns: 8 });
    const back = Array.from({ length: 16 }, (_, i) => {
      const row = Math.floor(i / 8);
      const column = i % 8;
      const upper = ((high[row * 4 + (column % 4)] as number) >> (column < 4 ? 0 : 4)) & 15;
      const lower = ((low[row * 2 + (column % 2)] as number) >> (2 * Math.floor(column / 2))) & 3;
      return upper * 4 + lower;
    });
    expect(back).toEqual([...numbers]);
  });
});
