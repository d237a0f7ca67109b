import { stat } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { writeMatrix, type Precision } from "../../../../models/import/graph-weights.ts";
import type { TensorSource } from "../../../../models/import/tensor-source.ts";
import { WeightFiles } from "../../../../models/import/weight-files.ts";
import { never, temporaryFolder } from "./imported-language.ts";

const rows = 50_000;
const columns = 64;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

const whole: Precision = { type: "float32" };
const eight: Precision = { type: "integer", bits: 8, block: 32, zero: "symmetric" };

it.each([
  ["whole", whole, rows * columns * 4],
  ["with 8 bits", eight, rows * columns],
])("a matrix %s is converted a few rows at a time, however many it has", async (_, precision, least) => {
  const asked: number[] = [];
  let next = 0;
  const tensors: TensorSource = {
    tensors: new Map([["m", { name: "m", shape: [rows, columns], type: "F32", offset: 0, bytes: 0 }]]),
    async readRows(__, { first, count }) {
      expect(first).toBe(next);
      next += count;
      asked.push(count * columns);
      return new Float32Array(count * columns).fill(0.5);
    },
    close: async () => undefined,
  };
  const files = await WeightFiles.open({ folder: folder.path, stem: "weights", fileLimit: Infinity });
  const spec = { name: "m", sources: ["m"], shape: { rows, columns }, precision };
  const stored = await writeMatrix({ tensors, files, signal: never }, spec);
  await files.close();
  expect(next).toBe(rows);
  expect(Math.max(...asked)).toBeLessThanOrEqual(1024 * 1024);
  expect(stored.values.length).toBe(least);
  expect((await stat(path.join(folder.path, "weights-0.bin"))).size).toBeGreaterThanOrEqual(least);
});
