import type { GraphProto, ModelProto, NodeProto, ValueInfoProto } from "../onnx/onnx-proto.ts";

const float32 = 4;
const elementBytes: Readonly<Record<number, number>> = { 1: 4, 2: 1, 3: 1, 10: 2, 16: 2 };

/**
 * Bytes that one decoded token makes the kernels read: every matrix once, as MatMulNBits packs it (for each block the
 * numbers, a float32 scale and a float32 sum that its zero point went into; onnxruntime, qnbitgemm.h), and keys and
 * values of `context` tokens. Norms, biases and the one row of the token embedding are left out: together they are under
 * a thousandth.
 */
export function bytesPerToken({ graph }: ModelProto, context: number): number {
  if (graph === undefined) return 0;
  const sizes = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const matrices = graph.node.reduce((sum, node) => sum + matrixBytes(node, sizes), 0);
  return matrices + graph.input.reduce((sum, input) => sum + cacheBytes(input) * context, 0);
}

type Initializers = ReadonlyMap<string, GraphProto["initializer"][number]>;

function matrixBytes(node: NodeProto, sizes: Initializers): number {
  if (node.opType === "MatMulNBits") {
    const [rows, columns, bits, block] = ["N", "K", "bits", "block_size"].map((name) =>
      Number(node.attribute.find((one) => one.name === name)?.i ?? 4),
    ) as [number, number, number, number];
    const blocks = Math.ceil(columns / block);
    return rows * ((blocks * block * bits) / 8 + blocks * 2 * float32);
  }
  if (node.opType !== "MatMul" && node.opType !== "Gemm") return 0;
  const weight = sizes.get(node.input[1] ?? "");
  if (weight === undefined) return 0;
  const values = weight.dims.reduce((product, size) => product * Number(size), 1);
  return values * (elementBytes[weight.dataType] ?? float32);
}

/** Of one token; inputs are [batch, heads, capacity, head size]. */
function cacheBytes({ name, type }: ValueInfoProto): number {
  if (!name.startsWith("past") || type?.value.case !== "tensorType") return 0;
  const { elemType, shape } = type.value.value;
  const sizes = (shape?.dim ?? []).map(({ value }) => (value.case === "dimValue" ? Number(value.value) : 0));
  return (sizes[1] ?? 0) * (sizes[3] ?? 0) * (elementBytes[elemType] ?? float32);
}
