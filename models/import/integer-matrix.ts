import { appError } from "../../core/errors.ts";
import { TensorProto_DataType as DataType } from "../onnx/onnx-proto.ts";
import { int, type ExternalData, type GraphBuilder } from "./graph-builder.ts";
import type { StoredMatrix } from "./graph-weights.ts";
import { finerOffset, kernelColumns } from "./quantise.ts";

/** The nodes that read integer weights: what can be computed once is constant, so ONNX Runtime folds it on loading. */

export type IntegerMatrix = Extract<StoredMatrix, { type: "integer" }>;

export function multiplyInteger(
  builder: GraphBuilder,
  matrix: IntegerMatrix,
  use: { readonly name: string; readonly input: string },
): string {
  const { scheme, shape } = matrix;
  const columns = kernelColumns(shape.columns, scheme);
  const bits = scheme.bits === 4 ? 4 : 8;
  const input = scheme.zero === "shifted" ? withBlockSums(builder, matrix, use) : use.input;
  const inputs = [input, kernelValues(builder, matrix), kernelScales(builder, matrix)];
  if (matrix.zeros !== null) {
    const blocks = columns / scheme.block;
    inputs.push(
      plane(builder, matrix, { part: "zeros", width: Math.ceil((blocks * bits) / 8), data: matrix.zeros }),
    );
  }
  if (matrix.finer !== null) inputs.push(equalZeros(builder, matrix));
  return builder.node({
    name: use.name,
    op: "MatMulNBits",
    inputs,
    attributes: {
      K: int(columns),
      N: int(shape.rows),
      bits: int(bits),
      block_size: int(kernelBlock(matrix)),
      // 4: activations as 8-bit integers, the fast path of the CPU kernels.
      accuracy_level: int(4),
    },
  });
}

/**
 * Values that share a scale in the kernel. It rounds activations to 8 bits in the same blocks, and smaller ones lose less:
 * the scales of larger blocks are repeated while the graph is loaded.
 */
const kernelBlock = ({ scheme }: IntegerMatrix) =>
  scheme.bits === 6 ? Math.min(32, scheme.block) : scheme.block;

/** Where the kernel's bytes have their zero: two more bits stand for -2 to 1. */
const middleOf = ({ finer }: IntegerMatrix) => (finer === null ? 128 : 128 + finerOffset);

/** The same zero for every block, made while the graph is loaded. */
function equalZeros(builder: GraphBuilder, matrix: IntegerMatrix): string {
  const { name, shape } = matrix;
  const middle = builder.constant(
    { name: `${name}.middle`, type: "uint8", shape: [1] },
    Uint8Array.of(middleOf(matrix)),
  );
  const size = builder.constant(
    { name: `${name}.zeros_size`, type: "int64", shape: [2] },
    BigInt64Array.of(BigInt(shape.rows), BigInt(shape.columns / kernelBlock(matrix))),
  );
  return builder.node({ name: `${name}.zeros`, op: "Expand", inputs: [middle, size] });
}

/** [.., columns] with the sums of its blocks behind it, which the extra columns of a shifted matrix multiply. */
function withBlockSums(
  builder: GraphBuilder,
  { scheme, shape }: IntegerMatrix,
  use: { readonly name: string; readonly input: string },
): string {
  const extra = kernelColumns(shape.columns, scheme) - shape.columns;
  const membership = new Float32Array(shape.columns * extra);
  for (let i = 0; i < shape.columns; i++) membership[i * extra + Math.floor(i / scheme.block)] = 1;
  const summing = builder.constant(
    { name: `block_sums/${shape.columns}x${scheme.block}`, type: "float32", shape: [shape.columns, extra] },
    membership,
  );
  const sums = builder.node({ name: `${use.name}/sums`, op: "MatMul", inputs: [use.input, summing] });
  return builder.node({
    name: `${use.name}/with_sums`,
    op: "Concat",
    inputs: [use.input, sums],
    attributes: { axis: int(-1) },
  });
}

/** Rows by number: `indices` int64 [n] → float32 [n, columns]. Rows are gathered packed and only these unpacked. */
export function gatherInteger(
  builder: GraphBuilder,
  matrix: IntegerMatrix,
  use: { readonly name: string; readonly indices: string },
): string {
  const { scheme, shape } = matrix;
  const { columns } = shape;
  if (scheme.zero !== "symmetric" || scheme.bits === 4) {
    throw appError("not-supported", "A token embedding is kept with 6 or 8 bits and symmetric blocks.");
  }
  const gather = (part: string, table: string) =>
    builder.node({
      name: `${use.name}/${part}`,
      op: "Gather",
      inputs: [table, use.indices],
      attributes: { axis: int(0) },
    });
  const bytes =
    scheme.bits === 8
      ? gather("q", plane(builder, matrix, { part: "q", width: columns, data: matrix.values }))
      : withFiner(builder, matrix, {
          name: use.name,
          indices: use.indices,
          bytes: unpackSixBits(builder, use.name, {
            high: gather(
              "high",
              plane(builder, matrix, { part: "q", width: columns / 2, data: matrix.values }),
            ),
            low: gather(
              "low",
              plane(builder, matrix, { part: "low", width: columns / 4, data: lowPlane(matrix) }),
            ),
          }),
        });
  const numbers = builder.cast(`${use.name}/numbers`, bytes, DataType.FLOAT);
  const middle = builder.constant(
    { name: `${use.name}/middle`, type: "float32", shape: [] },
    Float32Array.of(middleOf(matrix)),
  );
  const centred = builder.node({ name: `${use.name}/centred`, op: "Sub", inputs: [numbers, middle] });
  const blocks = columns / scheme.block;
  const inBlocks = builder.reshape(`${use.name}/blocks`, centred, [-1, blocks, scheme.block]);
  const scales = builder.node({
    name: `${use.name}/scales`,
    op: "Mul",
    inputs: [
      builder.cast(
        `${use.name}/scale_numbers`,
        gather("scale_bytes", scaleBytes(builder, matrix)),
        DataType.FLOAT,
      ),
      builder.cast(`${use.name}/step_numbers`, gather("steps", steps(builder, matrix)), DataType.FLOAT),
    ],
  });
  const scaled = builder.node({
    name: `${use.name}/scaled`,
    op: "Mul",
    inputs: [inBlocks, builder.reshape(`${use.name}/block_scales`, scales, [-1, blocks, 1])],
  });
  return builder.reshape(use.name, scaled, [-1, columns]);
}

/** [rows, blocks, bytes of a block], the layout of MatMulNBits. */
function kernelValues(builder: GraphBuilder, matrix: IntegerMatrix): string {
  const { name, scheme, shape } = matrix;
  const columns = kernelColumns(shape.columns, scheme);
  const block = kernelBlock(matrix);
  const blocks = columns / block;
  if (scheme.bits !== 6) {
    return builder.external(
      { name: `${name}.q`, type: "uint8", shape: [shape.rows, blocks, (block * scheme.bits) / 8] },
      matrix.values,
    );
  }
  const coarse = unpackSixBits(builder, `${name}.unpacked`, {
    high: plane(builder, matrix, { part: "q", width: columns / 2, data: matrix.values }),
    low: plane(builder, matrix, { part: "low", width: columns / 4, data: lowPlane(matrix) }),
  });
  const bytes = withFiner(builder, matrix, { name: `${name}.all`, indices: null, bytes: coarse });
  return builder.reshape(`${name}.bytes`, bytes, [shape.rows, blocks, block]);
}

/**
 * Two planes of 6-bit numbers (see packSixBits) → bytes of four times the number, so that the middle of the range, 32,
 * becomes 128, where the 8-bit kernel has its zero. The stored scales are a quarter of the 6-bit ones.
 */
function unpackSixBits(
  builder: GraphBuilder,
  name: string,
  planes: { readonly high: string; readonly low: string },
): string {
  const { shift, mask, join } = bitNodes(builder, name);
  const upper = join("upper", [shift("upper0", planes.high, 4), mask("upper1", planes.high, 0xf0)]);
  const lower = join("lower", [
    mask("lower0", shift("lower0s", planes.low, 2), 12),
    mask("lower1", planes.low, 12),
    mask("lower2", shift("lower2s", planes.low, -2), 12),
    mask("lower3", shift("lower3s", planes.low, -4), 12),
  ]);
  return builder.node({ name: `${name}/joined`, op: "BitwiseOr", inputs: [upper, lower] });
}

/** Nodes on bytes; their names begin with `name`. */
function bitNodes(builder: GraphBuilder, name: string) {
  const byte = (value: number) =>
    builder.constant({ name: `byte/${value}`, type: "uint8", shape: [] }, Uint8Array.of(value));
  const node = (part: string, op: string, inputs: readonly string[]) =>
    builder.node({ name: `${name}/${part}`, op, inputs });
  return {
    node,
    shift: (part: string, input: string, by: number) =>
      builder.node({
        name: `${name}/${part}`,
        op: "BitShift",
        inputs: [input, byte(Math.abs(by))],
        attributes: { direction: { type: "string", value: by > 0 ? "LEFT" : "RIGHT" } },
      }),
    mask: (part: string, input: string, value: number) => node(part, "BitwiseAnd", [input, byte(value)]),
    join: (part: string, inputs: readonly string[]) =>
      builder.node({ name: `${name}/${part}`, op: "Concat", inputs, attributes: { axis: int(-1) } }),
  };
}

/**
 * Unpacked 6-bit numbers with what two more bits add to those of the first rows (`finerBits`). `indices` are the rows
 * that `bytes` holds, int64 [n]; null: all.
 */
function withFiner(
  builder: GraphBuilder,
  matrix: IntegerMatrix,
  { name, indices, bytes }: { name: string; indices: string | null; bytes: string },
): string {
  const { finer, scheme, shape } = matrix;
  if (finer === null) return bytes;
  const { node, shift, mask, join } = bitNodes(builder, name);
  const rows = Math.min(scheme.finerRows ?? 0, shape.rows);
  const number = (value: number) =>
    builder.constant({ name: `int64/${value}`, type: "int64", shape: [] }, BigInt64Array.of(BigInt(value)));
  const asked = indices ?? node("row_numbers", "Range", [number(0), number(shape.rows), number(1)]);
  // The row behind the last one leaves the numbers as they are.
  const table = builder.external(
    { name: `${matrix.name}.finer`, type: "uint8", shape: [rows + 1, shape.columns / 4] },
    finer,
  );
  const packed = builder.node({
    name: `${name}/finer`,
    op: "Gather",
    inputs: [table, node("finer_rows", "Min", [asked, number(rows)])],
    attributes: { axis: int(0) },
  });
  const bits = join("finer_bits", [
    mask("finer0", packed, 3),
    ...[1, 2, 3].map((at) => mask(`finer${at}`, shift(`finer${at}s`, packed, -2 * at), 3)),
  ]);
  return node("finer_joined", "BitwiseOr", [bytes, bits]);
}

function lowPlane(matrix: IntegerMatrix): ExternalData {
  if (matrix.low === null) throw appError("internal", "A 6-bit matrix lacks its lower plane.");
  return matrix.low;
}

interface Plane {
  readonly part: string;
  readonly width: number;
  readonly data: ExternalData;
}

function plane(builder: GraphBuilder, { name, shape }: IntegerMatrix, { part, width, data }: Plane): string {
  return builder.external({ name: `${name}.${part}`, type: "uint8", shape: [shape.rows, width] }, data);
}

function scaleBytes(builder: GraphBuilder, matrix: IntegerMatrix): string {
  const blocks = kernelColumns(matrix.shape.columns, matrix.scheme) / matrix.scheme.block;
  return plane(builder, matrix, { part: "scale_bytes", width: blocks, data: matrix.scales });
}

function steps(builder: GraphBuilder, { name, shape, steps: data }: IntegerMatrix): string {
  return builder.external({ name: `${name}.steps`, type: "float16", shape: [shape.rows, 1] }, data);
}

function kernelScales(builder: GraphBuilder, matrix: IntegerMatrix): string {
  const { name, shape, scheme } = matrix;
  const scales = builder.node({
    name: `${name}.scales`,
    op: "Mul",
    inputs: [
      builder.cast(`${name}.scale_numbers`, scaleBytes(builder, matrix), DataType.FLOAT),
      builder.cast(`${name}.step_numbers`, steps(builder, matrix), DataType.FLOAT),
    ],
  });
  const times = scheme.block / kernelBlock(matrix);
  if (times === 1) return scales;
  const blocks = shape.columns / scheme.block;
  const apart = builder.reshape(`${name}.scales_apart`, scales, [shape.rows, blocks, 1]);
  const size = builder.constant(
    { name: `${name}.repeats`, type: "int64", shape: [3] },
    BigInt64Array.of(1n, 1n, BigInt(times)),
  );
  const repeated = builder.node({ name: `${name}.scales_repeated`, op: "Expand", inputs: [apart, size] });
  return builder.reshape(`${name}.scales_all`, repeated, [shape.rows, blocks * times]);
}
