import { appError, throwIfAborted } from "../../core/errors.ts";
import { float, int, ints, type ExternalData, type GraphBuilder } from "./graph-builder.ts";
import { floatToHalf, halfToFloatTable } from "./half-float.ts";
import { gatherInteger, multiplyInteger } from "./integer-matrix.ts";
import {
  kernelColumns,
  packNibbles,
  packSixBits,
  quantiseRows,
  type MatrixShape,
  type QuantScheme,
} from "./quantise.ts";
import { rowCount, rowLength, type TensorSource } from "./tensor-source.ts";
import type { WeightFiles } from "./weight-files.ts";

/** How the weights of one matrix are kept. */
export type Precision = { readonly type: "float32" } | ({ readonly type: "integer" } & QuantScheme);

/** A matrix [rows = outputs, columns = inputs] put together from tensors of the checkpoint, one below the other. */
export interface MatrixSpec {
  readonly name: string;
  readonly sources: readonly string[];
  readonly shape: MatrixShape;
  readonly precision: Precision;
}

/** A matrix that has been written: what graphs need in order to refer to it. */
export type StoredMatrix =
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
  return spec.precision.type === "float32"
    ? writeFloatMatrix(writer, spec)
    : writeIntegerMatrix(writer, spec, spec.precision);
}

function checkSources(tensors: TensorSource, { sources, shape }: MatrixSpec): void {
  let rows = 0;
  for (const name of sources) {
    const info = tensors.tensors.get(name);
    if (info === undefined) throw appError("model-file-damaged", `The model file lacks the tensor ${name}.`);
    if (info.shape.length !== 2 || rowLength(info) !== shape.columns) {
      throw appError(
        "model-file-damaged",
        `The tensor ${name} has another shape than the model's settings ask for.`,
      );
    }
    rows += rowCount(info);
  }
  if (rows !== shape.rows) {
    throw appError(
      "model-file-damaged",
      `The tensor ${sources[0]} has another shape than the model's settings ask for.`,
    );
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

async function writeFloatMatrix(writer: MatrixWriter, spec: MatrixSpec): Promise<StoredMatrix> {
  const slot = await writer.files.begin(spec.shape.rows * spec.shape.columns * 4);
  for await (const chunk of readChunks(writer, spec)) await slot.write(bytesOf(chunk));
  return { type: "float32", name: spec.name, shape: spec.shape, values: slot.data };
}

async function writeIntegerMatrix(
  writer: MatrixWriter,
  spec: MatrixSpec,
  scheme: QuantScheme,
): Promise<StoredMatrix> {
  const { rows, columns } = spec.shape;
  if (columns % scheme.block !== 0 || (scheme.bits === 6 && columns % 4 !== 0)) {
    throw appError(
      "architecture-not-supported",
      `The width ${columns} does not hold whole blocks of ${scheme.block}.`,
    );
  }
  const width = kernelColumns(columns, scheme);
  const blocks = width / scheme.block;
  const values = await writer.files.begin((rows * width * (scheme.bits === 6 ? 4 : scheme.bits)) / 8);
  const parts: Record<"low" | "scales" | "steps" | "zeros", Uint8Array[]> = {
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
  const add = (chunks: Uint8Array[]) => writer.files.add(Buffer.concat(chunks));
  return {
    type: "integer",
    name: spec.name,
    shape: spec.shape,
    scheme,
    values: values.data,
    low: scheme.bits === 6 ? await add(parts.low) : null,
    scales: await add(parts.scales),
    steps: await add(parts.steps),
    zeros: scheme.zero === "symmetric" ? null : await add(parts.zeros),
  };
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
  use: { readonly name: string; readonly input: string },
): string {
  if (matrix.type === "integer") return multiplyInteger(builder, matrix, use);
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

/** A vector of the checkpoint (a norm's weight) as a tensor in the graph file. */
export async function writeVector(
  builder: GraphBuilder,
  tensors: TensorSource,
  vector: { source: string; length: number },
): Promise<string> {
  const info = tensors.tensors.get(vector.source);
  if (info === undefined)
    throw appError("model-file-damaged", `The model file lacks the tensor ${vector.source}.`);
  if (info.shape.length !== 1 || info.shape[0] !== vector.length) {
    throw appError(
      "model-file-damaged",
      `The tensor ${vector.source} has another shape than the model's settings ask for.`,
    );
  }
  const values = await tensors.readRows(vector.source, { first: 0, count: 1 });
  return builder.constant({ name: vector.source, type: "float32", shape: [vector.length] }, values);
}

export const rmsEpsilon = (value: number) => ({ epsilon: float(value) });
