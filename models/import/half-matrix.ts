import { appError } from "../../core/errors.ts";
import { TensorProto_DataType as DataType } from "../onnx/onnx-proto.ts";
import { int, ints, type ExternalData, type GraphBuilder, type NodeSpec } from "./graph-builder.ts";
import { floatToHalf } from "./half-float.ts";
import type { MatrixShape } from "./quantise.ts";

/** Weights of 16 bits. Products are computed in half precision; what goes into them and comes out is float32. */

export interface HalfMatrix {
  readonly type: "float16";
  readonly name: string;
  /** Of the matrix itself, [outputs, inputs]. */
  readonly shape: MatrixShape;
  /** Whether it lies as [inputs, outputs], as kernels multiply it: turning it when it is loaded would take its size again. */
  readonly turned: boolean;
  readonly values: ExternalData;
}

/** Values of a matrix that are held at a time while it is turned (1 GiB); a larger one is read more than once. */
const panelValues = 512 * 1024 * 1024;
/** Values that are written at a time. */
const writtenValues = 4 * 1024 * 1024;
/** Float32 values of a cache line: turning is bound by memory, and whole lines are read once. */
const cacheLine = 16;
/** Exponent of what is no number in half precision. */
const beyond = 0x7c00;

/** @throws not-supported where a value is too large: as infinity it would make every answer nonsense */
function toHalf(value: number, source: string): number {
  const bits = floatToHalf(value);
  if ((bits & beyond) === beyond) {
    throw appError(
      "not-supported",
      `The tensor ${source} has values beyond what 16 bits hold (65,504). Import the model with --weights 8bit or 4bit.`,
    );
  }
  return bits;
}

/** As they come. @throws not-supported */
export async function* halves(
  chunks: AsyncIterable<Float32Array>,
  source: string,
): AsyncGenerator<Uint16Array, void, void> {
  for await (const chunk of chunks) {
    const part = new Uint16Array(chunk.length);
    for (let i = 0; i < part.length; i++) part[i] = toHalf(chunk[i] as number, source);
    yield part;
  }
}

export interface TurnedMatrix extends MatrixShape {
  /** For messages. */
  readonly source: string;
  /** Values held at a time; only tests give another number. */
  readonly held?: number;
}

/** The columns of a matrix one behind the other. `read` begins with its first row each time. @throws not-supported */
export async function* turnedHalves(
  read: () => AsyncIterable<Float32Array>,
  { rows, columns, source, held = panelValues }: TurnedMatrix,
): AsyncGenerator<Uint16Array, void, void> {
  const width = Math.max(1, Math.min(columns, Math.floor(held / rows)));
  for (let first = 0; first < columns; first += width) {
    const end = Math.min(columns, first + width);
    const panel = new Uint16Array((end - first) * rows);
    let row = 0;
    for await (const chunk of read()) {
      const count = chunk.length / columns;
      for (let block = first; block < end; block += cacheLine) {
        const last = Math.min(end, block + cacheLine);
        for (let i = 0; i < count; i++) {
          for (let column = block; column < last; column++) {
            const value = chunk[i * columns + column] as number;
            panel[(column - first) * rows + row + i] = toHalf(value, source);
          }
        }
      }
      row += count;
    }
    for (let at = 0; at < panel.length; at += writtenValues) yield panel.subarray(at, at + writtenValues);
  }
}

export interface HalfUse {
  readonly name: string;
  readonly input: string;
  /** Dimensions of the input: 3, or 2 where it is a list of rows. */
  readonly rank: 2 | 3;
}

/**
 * Parts of the columns that are added by themselves. Kernels for WebGPU add in half precision, and what that loses grows
 * with the number of products; the sums of the parts are added in float32. More parts take more memory with a prompt
 * (docs/decisions/weights.md).
 */
function partCount(columns: number): number {
  const wanted = columns > 2048 ? 8 : 4;
  return columns % (4 * wanted) === 0 ? wanted : 1;
}

/** `input` float32 [.., columns] × matrixᵀ → float32 [.., rows]. */
export function multiplyHalf(builder: GraphBuilder, matrix: HalfMatrix, use: HalfUse): string {
  const { name, rank } = use;
  const { rows, columns } = matrix.shape;
  const parts = partCount(columns);
  const input = builder.cast(`${name}/in_half`, use.input, DataType.FLOAT16);
  const node = (part: string, spec: Pick<NodeSpec, "op" | "inputs" | "attributes">) =>
    builder.node({ name: `${name}/${part}`, ...spec });
  // [.., tokens, columns] to [.., parts, tokens, columns of a part]
  const shape = [...(rank === 3 ? [0] : []), 0, parts, columns / parts];
  const apart = node("apart", {
    op: "Transpose",
    inputs: [builder.reshape(`${name}/parts`, input, shape)],
    attributes: { perm: ints(rank === 3 ? [0, 2, 1, 3] : [1, 0, 2]) },
  });
  const weight = turnedWeight(builder, matrix, [parts, columns / parts, rows]);
  const product = node("product_half", { op: "MatMul", inputs: [apart, weight] });
  const sums = builder.cast(`${name}/part_sums`, product, DataType.FLOAT);
  const axis = builder.constant(
    { name: `half/axis${rank - 2}`, type: "int64", shape: [1] },
    BigInt64Array.of(BigInt(rank - 2)),
  );
  return builder.node({ name, op: "ReduceSum", inputs: [sums, axis], attributes: { keepdims: int(0) } });
}

/** float16 [parts, columns of a part, rows]. A head that is also the token embedding is turned when it is loaded. */
function turnedWeight(builder: GraphBuilder, matrix: HalfMatrix, shape: readonly number[]): string {
  if (matrix.turned) return weightOf(builder, matrix, shape);
  const turned = builder.node({
    name: `${matrix.name}/turned`,
    op: "Transpose",
    inputs: [weightOf(builder, matrix, [matrix.shape.rows, matrix.shape.columns])],
    attributes: { perm: ints([1, 0]) },
  });
  return builder.reshape(`${matrix.name}/parts`, turned, shape);
}

/** Rows of a matrix that is not turned, by number: `indices` int64 [n] → float32 [n, columns]. */
export function gatherHalf(
  builder: GraphBuilder,
  matrix: HalfMatrix,
  use: { readonly name: string; readonly indices: string },
): string {
  if (matrix.turned) throw appError("internal", "The rows of a turned matrix were asked for.");
  const rows = builder.node({
    name: `${use.name}/half`,
    op: "Gather",
    inputs: [weightOf(builder, matrix, [matrix.shape.rows, matrix.shape.columns]), use.indices],
    attributes: { axis: int(0) },
  });
  return builder.cast(use.name, rows, DataType.FLOAT);
}

function weightOf(builder: GraphBuilder, { name, values }: HalfMatrix, shape: readonly number[]): string {
  return builder.external({ name, type: "float16", shape }, values);
}
