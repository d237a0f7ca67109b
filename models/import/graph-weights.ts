import { appError, throwIfAborted } from "../../core/errors.ts";
import { float, int, ints, type ExternalData, type GraphBuilder } from "./graph-builder.ts";
import { floatToHalf, halfToFloatTable } from "./half-float.ts";
import { gatherHalf, type HalfMatrix, halves, multiplyHalf, turnedHalves } from "./half-matrix.ts";
import { gatherInteger, multiplyInteger } from "./integer-matrix.ts";
import {
  finerBits,
  kernelColumns,
  packNibbles,
  packSixBits,
  packTwoBits,
  quantiseRows,
  type MatrixShape,
  type QuantScheme,
} from "./quantise.ts";
import { rowCount, rowLength, type TensorSource } from "./tensor-source.ts";
import type { WeightFiles } from "./weight-files.ts";

/** How the weights of one matrix are kept. */
export type Precision =
  | { readonly type: "float32" }
  /** `turned`: see HalfMatrix. */
  | { readonly type: "float16"; readonly turned: boolean }
  | ({ readonly type: "integer" } & QuantScheme);

/** How a matrix is kept, by the name of its first tensor, the values of a row, and the type that it has in the file. */
export type PrecisionRule = (source: string, columns: number, storedAs?: string) => Precision;

/** A matrix [rows = outputs, columns = inputs] put together from tensors of the checkpoint, one below the other. */
export interface MatrixSpec {
  readonly name: string;
  readonly sources: readonly string[];
  readonly shape: MatrixShape;
  readonly precision: Precision;
}

/** A matrix that has been written: what graphs need in order to refer to it. */
export type StoredMatrix =
  | HalfMatrix
  | {
      readonly type: "float32";
      readonly name: string;
      readonly shape: MatrixShape;
      readonly values: ExternalData;
    }
  | {
      readonly type: "integer";
      readonly name: string;
      readonly shape: MatrixShape;
      readonly scheme: QuantScheme;
      readonly values: ExternalData;
      /** The lower plane of 6-bit numbers. */
      readonly low: ExternalData | null;
      /** Two more bits of the first `scheme.finerRows` rows, and a row of no change for all others (writeFiner). */
      readonly finer: ExternalData | null;
      readonly scales: ExternalData;
      readonly steps: ExternalData;
      readonly zeros: ExternalData | null;
    };

export interface MatrixWriter {
  readonly tensors: TensorSource;
  readonly files: WeightFiles;
  readonly signal: AbortSignal;
}

/** Float32 values held at a time while a matrix is converted: 4 MiB. */
const chunkValues = 1024 * 1024;

/** Converts a matrix a few rows at a time. Errors: `model-file-damaged` when a tensor is missing or has another shape. */
export async function writeMatrix(writer: MatrixWriter, spec: MatrixSpec): Promise<StoredMatrix> {
  checkSources(writer.tensors, spec);
  const { precision } = spec;
  switch (precision.type) {
    case "float32":
      return writeFloatMatrix(writer, spec);
    case "float16":
      return writeHalfMatrix(writer, spec, precision.turned);
    case "integer":
      return writeIntegerMatrix(writer, spec, precision);
  }
}

function checkSources(tensors: TensorSource, { sources, shape }: MatrixSpec): void {
  let rows = 0;
  for (const name of sources) {
    const info = tensors.tensors.get(name);
    if (info === undefined) throw appError("model-file-damaged", `The model file lacks the tensor ${name}.`);
    if (info.shape.length !== 2 || rowLength(info) !== shape.columns) {
      throw otherShape(name);
    }
    rows += rowCount(info);
  }
  if (rows !== shape.rows) {
    throw otherShape(sources[0] ?? "");
  }
}

async function* readChunks(
  writer: MatrixWriter,
  { sources, shape }: MatrixSpec,
): AsyncGenerator<Float32Array> {
  const step = Math.max(1, Math.floor(chunkValues / shape.columns));
  for (const name of sources) {
    const total = rowCount(writer.tensors.tensors.get(name) as never);
    for (let first = 0; first < total; first += step) {
      throwIfAborted(writer.signal);
      yield await writer.tensors.readRows(name, { first, count: Math.min(step, total - first) });
    }
  }
}

type FloatMatrix = Extract<StoredMatrix, { type: "float32" }>;

async function writeFloatMatrix(writer: MatrixWriter, spec: MatrixSpec): Promise<FloatMatrix> {
  const { name, shape } = spec;
  const length = shape.rows * shape.columns * 4;
  const [ready] = (await takeReady(writer, spec, [length])) ?? [];
  if (ready !== undefined) return { type: "float32", name, shape, values: ready };
  const slot = await writer.files.begin(length);
  for await (const chunk of readChunks(writer, spec)) await slot.write(bytesOf(chunk));
  return { type: "float32", name, shape, values: slot.data };
}

async function writeHalfMatrix(writer: MatrixWriter, spec: MatrixSpec, turned: boolean): Promise<HalfMatrix> {
  const { name, shape } = spec;
  const stored = (values: ExternalData) => ({ type: "float16", name, shape, turned, values }) as const;
  const length = shape.rows * shape.columns * 2;
  const [ready] = (await takeReady(writer, spec, [length])) ?? [];
  if (ready !== undefined) return stored(ready);
  const slot = await writer.files.begin(length);
  const source = spec.sources[0] as string;
  const read = () => readChunks(writer, spec);
  const parts = turned ? turnedHalves(read, { ...shape, source }) : halves(read(), source);
  for await (const part of parts) await slot.write(bytesOf(part));
  return stored(slot.data);
}

/** Where an earlier, broken-off import wrote a matrix; its tensors are looked at, so that they count as used. */
async function takeReady(
  writer: MatrixWriter,
  { sources }: MatrixSpec,
  lengths: readonly number[],
): Promise<readonly ExternalData[] | null> {
  const ready = writer.files.takeReady(lengths);
  if (ready === null) return null;
  throwIfAborted(writer.signal);
  for (const source of sources) await writer.tensors.readRows(source, { first: 0, count: 0 });
  return ready;
}

type IntegerPart = "values" | "low" | "scales" | "steps" | "zeros";

/** Bytes of each part of an integer matrix, in the order in which they are written. */
function partLengths({ rows, columns }: MatrixShape, scheme: QuantScheme): ReadonlyMap<IntegerPart, number> {
  const width = kernelColumns(columns, scheme);
  const blocks = width / scheme.block;
  const lengths = new Map<IntegerPart, number>();
  lengths.set("values", (rows * width * (scheme.bits === 6 ? 4 : scheme.bits)) / 8);
  if (scheme.bits === 6) lengths.set("low", (rows * width) / 4);
  lengths.set("scales", rows * blocks);
  lengths.set("steps", rows * 2);
  if (scheme.zero !== "symmetric") lengths.set("zeros", rows * Math.ceil(blocks / 2));
  return lengths;
}

async function writeIntegerMatrix(
  writer: MatrixWriter,
  spec: MatrixSpec,
  scheme: QuantScheme,
): Promise<StoredMatrix> {
  const { columns } = spec.shape;
  if (columns % scheme.block !== 0 || (scheme.bits === 6 && columns % 4 !== 0)) {
    throw appError(
      "architecture-not-supported",
      `The width ${columns} does not hold whole blocks of ${scheme.block}.`,
    );
  }
  const lengths = partLengths(spec.shape, scheme);
  const ready = await takeReady(writer, spec, [...lengths.values()]);
  const places =
    ready === null
      ? await writeParts(writer, spec, scheme)
      : new Map([...lengths.keys()].map((part, i) => [part, ready[i]]));
  const place = (part: IntegerPart) => places.get(part) as ExternalData;
  return {
    type: "integer",
    name: spec.name,
    shape: spec.shape,
    scheme,
    values: place("values"),
    low: places.get("low") ?? null,
    finer: null,
    scales: place("scales"),
    steps: place("steps"),
    zeros: places.get("zeros") ?? null,
  };
}

async function writeParts(
  writer: MatrixWriter,
  spec: MatrixSpec,
  scheme: QuantScheme,
): Promise<Map<IntegerPart, ExternalData | undefined>> {
  const { columns } = spec.shape;
  const width = kernelColumns(columns, scheme);
  const blocks = width / scheme.block;
  const lengths = partLengths(spec.shape, scheme);
  const values = await writer.files.begin(lengths.get("values") as number);
  const parts: Record<Exclude<IntegerPart, "values">, Uint8Array[]> = {
    low: [],
    scales: [],
    steps: [],
    zeros: [],
  };
  for await (const chunk of readChunks(writer, spec)) {
    const shape = { rows: chunk.length / columns, columns };
    const part = quantiseRows(chunk, shape, scheme);
    if (scheme.bits === 6) {
      const planes = packSixBits(part.values, { ...shape, columns: width });
      await values.write(planes.high);
      parts.low.push(planes.low);
    } else {
      await values.write(
        scheme.bits === 8 ? part.values : packNibbles(part.values, { ...shape, columns: width }),
      );
    }
    parts.scales.push(part.scales);
    parts.steps.push(bytesOf(scheme.bits === 6 ? quarters(part.steps) : part.steps));
    parts.zeros.push(packNibbles(part.zeros, { rows: shape.rows, columns: blocks }));
  }
  const places = new Map<IntegerPart, ExternalData | undefined>([["values", values.data]]);
  for (const part of lengths.keys()) {
    if (part !== "values") places.set(part, await writer.files.add(Buffer.concat(parts[part])));
  }
  return places;
}

/** finerOffset for each column: what leaves 6-bit numbers as they are. */
const noChange = 0b10101010;

/**
 * Adds to a 6-bit matrix that has been written the two bits below for its first rows, read once more. They come last, so
 * that a pack without them and one with them have the other weights in common.
 */
export async function writeFiner(
  writer: MatrixWriter,
  spec: MatrixSpec,
  matrix: StoredMatrix,
): Promise<StoredMatrix> {
  const rows = matrix.type === "integer" ? Math.min(matrix.scheme.finerRows ?? 0, matrix.shape.rows) : 0;
  if (matrix.type !== "integer" || rows === 0) return matrix;
  const { columns } = spec.shape;
  const length = ((rows + 1) * columns) / 4;
  const [ready] = (await takeReady(writer, spec, [length])) ?? [];
  if (ready !== undefined) return { ...matrix, finer: ready };
  const slot = await writer.files.begin(length);
  let left = rows;
  for await (const chunk of readChunks(writer, spec)) {
    const shape = { rows: Math.min(left, chunk.length / columns), columns };
    const weights = chunk.subarray(0, shape.rows * columns);
    const coarse = quantiseRows(weights, shape, matrix.scheme);
    const { block } = matrix.scheme;
    const bits = finerBits(weights, coarse, { columns, block, steps: quarters(coarse.steps) });
    await slot.write(packTwoBits(bits, shape));
    left -= shape.rows;
    if (left === 0) break;
  }
  await slot.write(new Uint8Array(columns / 4).fill(noChange));
  return { ...matrix, finer: slot.data };
}

/** 6-bit numbers are unpacked to four times themselves, so their scales are a quarter. */
function quarters(steps: Uint16Array): Uint16Array {
  return steps.map((bits) => floatToHalf((halfToFloatTable()[bits] as number) / 4));
}

export function bytesOf(array: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** `input` [.., columns] × matrixᵀ → [.., rows]. */
export function multiply(
  builder: GraphBuilder,
  matrix: StoredMatrix,
  use: { readonly name: string; readonly input: string; readonly rank?: 2 | 3 },
): string {
  if (matrix.type === "integer") return multiplyInteger(builder, matrix, use);
  if (matrix.type === "float16") return multiplyHalf(builder, matrix, { rank: 3, ...use });
  const { rows, columns } = matrix.shape;
  const weight = builder.external(
    { name: matrix.name, type: "float32", shape: [rows, columns] },
    matrix.values,
  );
  const turned = builder.node({
    name: `${use.name}/turned`,
    op: "Transpose",
    inputs: [weight],
    attributes: { perm: ints([1, 0]) },
  });
  return builder.node({ name: use.name, op: "MatMul", inputs: [use.input, turned] });
}

/** Rows of the matrix by number: `indices` int64 [n] → float32 [n, columns]. */
export function gatherRows(
  builder: GraphBuilder,
  matrix: StoredMatrix,
  use: { readonly name: string; readonly indices: string },
): string {
  if (matrix.type === "integer") return gatherInteger(builder, matrix, use);
  if (matrix.type === "float16") return gatherHalf(builder, matrix, use);
  const { rows, columns } = matrix.shape;
  const table = builder.external(
    { name: matrix.name, type: "float32", shape: [rows, columns] },
    matrix.values,
  );
  return builder.node({
    name: use.name,
    op: "Gather",
    inputs: [table, use.indices],
    attributes: { axis: int(0) },
  });
}

/** A tensor of any shape as float32 in the weight files, e.g. a convolution's. */
export async function writeTensor(
  builder: GraphBuilder,
  writer: MatrixWriter,
  { source, shape }: { readonly source: string; readonly shape: readonly number[] },
): Promise<string> {
  const info = writer.tensors.tensors.get(source);
  if (info === undefined) throw appError("model-file-damaged", `The model file lacks the tensor ${source}.`);
  if (info.shape.join() !== shape.join()) throw otherShape(source);
  const matrix = { rows: rowCount(info), columns: rowLength(info) };
  const spec = { name: source, sources: [source], shape: matrix, precision: { type: "float32" } } as const;
  const { values } = await writeFloatMatrix(writer, spec);
  return builder.external({ name: source, type: "float32", shape }, values);
}

interface VectorSpec {
  readonly source: string;
  readonly length: number;
  /** Added to every value. */
  readonly offset?: number;
}

/** A vector of the checkpoint (a norm's weight) as a tensor in the graph file. */
export async function writeVector(
  builder: GraphBuilder,
  tensors: TensorSource,
  { source, length, offset = 0 }: VectorSpec,
): Promise<string> {
  const read = await readVector(tensors, source);
  if (read.length !== length) throw otherShape(source);
  const values = offset === 0 ? read : read.map((value) => value + offset);
  return builder.constant({ name: source, type: "float32", shape: [length] }, values);
}

/** Vectors one behind the other as one tensor in the graph file. */
export async function writeVectors(
  builder: GraphBuilder,
  tensors: TensorSource,
  vectors: { readonly name: string; readonly sources: readonly string[]; readonly length: number },
): Promise<string> {
  const values = new Float32Array(vectors.length);
  let at = 0;
  for (const source of vectors.sources) {
    const part = await readVector(tensors, source);
    if (at + part.length > vectors.length) throw otherShape(source);
    values.set(part, at);
    at += part.length;
  }
  if (at !== vectors.length) throw otherShape(vectors.sources[0] ?? vectors.name);
  return builder.constant({ name: vectors.name, type: "float32", shape: [vectors.length] }, values);
}

async function readVector(tensors: TensorSource, source: string): Promise<Float32Array> {
  const info = tensors.tensors.get(source);
  if (info === undefined) throw appError("model-file-damaged", `The model file lacks the tensor ${source}.`);
  if (info.shape.length !== 1) throw otherShape(source);
  return tensors.readRows(source, { first: 0, count: 1 });
}

/** A tensor of one value. */
export async function readScalar(tensors: TensorSource, source: string): Promise<number> {
  const info = tensors.tensors.get(source);
  if (info === undefined) throw appError("model-file-damaged", `The model file lacks the tensor ${source}.`);
  if (rowCount(info) !== 1 || rowLength(info) !== 1) throw otherShape(source);
  return (await tensors.readRows(source, { first: 0, count: 1 }))[0] as number;
}

function otherShape(source: string): Error {
  return appError(
    "model-file-damaged",
    `The tensor ${source} has another shape than the model's settings ask for.`,
  );
}

export const rmsEpsilon = (value: number) => ({ epsilon: float(value) });
