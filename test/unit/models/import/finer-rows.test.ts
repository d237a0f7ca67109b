import { afterEach, beforeEach, expect, it } from "vitest";
import { GraphBuilder, modelBytes } from "../../../../models/import/graph-builder.ts";
import {
  gatherRows,
  multiply,
  writeFiner,
  writeMatrix,
  type StoredMatrix,
} from "../../../../models/import/graph-weights.ts";
import type { TensorSource } from "../../../../models/import/tensor-source.ts";
import { WeightFiles } from "../../../../models/import/weight-files.ts";
import { Session } from "../../../../models/runtime/ort/session.ts";
import { Tensor } from "../../../../models/runtime/ort/tensor.ts";
import { normals } from "../tiny-decoder.ts";
import { never, temporaryFolder } from "./imported-language.ts";

const shape = { rows: 40, columns: 128 };
const finerRows = 25;
const scheme = { bits: 6, block: 64, zero: "symmetric", finerRows } as const;
const spec = { name: "m", sources: ["m"], shape, precision: { type: "integer", ...scheme } } as const;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let weights: Float32Array;
beforeEach(async () => {
  folder = await temporaryFolder();
  const random = normals(9);
  weights = Float32Array.from({ length: shape.rows * shape.columns }, () => random() * 0.1);
});
afterEach(() => folder.remove());

async function store(): Promise<StoredMatrix> {
  const tensors: TensorSource = {
    tensors: new Map([
      ["m", { name: "m", shape: [shape.rows, shape.columns], type: "F32", offset: 0, bytes: 0 }],
    ]),
    readRows: async (_, { first, count }) =>
      weights.slice(first * shape.columns, (first + count) * shape.columns),
    close: async () => undefined,
  };
  const files = await WeightFiles.open({ folder: folder.path, stem: "weights", fileLimit: Infinity });
  const writer = { tensors, files, signal: never };
  const matrix = await writeFiner(writer, spec, await writeMatrix(writer, spec));
  await files.close();
  return matrix;
}

/** The output "y", [rows, columns], of a graph with one input. */
async function run(
  builder: GraphBuilder,
  input: readonly [name: string, tensor: Tensor],
  [rows, columns]: readonly [number, number],
): Promise<Float32Array> {
  const graph = { type: "bytes", bytes: modelBytes(builder.model()), dataFolder: folder.path } as const;
  const session = await Session.open(graph, { provider: null, threads: 1 });
  const binding = session.bind();
  binding.input(...input);
  const output = new Tensor(new Float32Array(rows * columns), [rows, columns]);
  binding.output("y", output);
  await binding.run(never);
  binding.dispose();
  await session.dispose();
  return output.data as Float32Array;
}

/** Relative error (root mean square) of some rows. */
function errorOf(back: Float32Array, first: number, end: number): number {
  const [from, to] = [first * shape.columns, end * shape.columns];
  const error = weights.slice(from, to).reduce((sum, w, i) => sum + (w - back[from + i]!) ** 2, 0);
  return Math.sqrt(error / weights.slice(from, to).reduce((sum, w) => sum + w ** 2, 0));
}

it("an embedding gives its first rows nearly whole, the others with 6 bits, in whichever order they are asked for", async () => {
  const matrix = await store();
  const builder = new GraphBuilder("embed");
  builder.input("ids", "int64", ["n"]);
  builder.output("y", "float32", ["n", shape.columns]);
  gatherRows(builder, matrix, { name: "y", indices: "ids" });
  const ids = BigInt64Array.from({ length: shape.rows }, (_, i) => BigInt(shape.rows - 1 - i));
  const turned = await run(builder, ["ids", new Tensor(ids, [shape.rows])], [shape.rows, shape.columns]);
  const back = new Float32Array(turned.length);
  for (let row = 0; row < shape.rows; row++) {
    const at = (shape.rows - 1 - row) * shape.columns;
    back.set(turned.subarray(at, at + shape.columns), row * shape.columns);
  }
  expect(errorOf(back, 0, finerRows)).toBeLessThan(0.015);
  expect(errorOf(back, finerRows, shape.rows)).toBeGreaterThan(0.02);
  expect(errorOf(back, finerRows, shape.rows)).toBeLessThan(0.035);
});

it("a head multiplies with the same numbers", async () => {
  const matrix = await store();
  const builder = new GraphBuilder("head");
  builder.input("x", "float32", ["n", shape.columns]);
  builder.output("y", "float32", ["n", shape.rows]);
  multiply(builder, matrix, { name: "y", input: "x" });
  // One row a column of the matrix: an identity, which 8-bit activations hold exactly.
  const identity = new Float32Array(shape.columns * shape.columns);
  for (let i = 0; i < shape.columns; i++) identity[i * shape.columns + i] = 1;
  const x = new Tensor(identity, [shape.columns, shape.columns]);
  const turned = await run(builder, ["x", x], [shape.columns, shape.rows]);
  const back = new Float32Array(weights.length);
  for (let row = 0; row < shape.rows; row++) {
    for (let i = 0; i < shape.columns; i++) back[row * shape.columns + i] = turned[i * shape.rows + row]!;
  }
  expect(errorOf(back, 0, finerRows)).toBeLessThan(0.015);
  expect(errorOf(back, finerRows, shape.rows)).toBeLessThan(0.035);
});
