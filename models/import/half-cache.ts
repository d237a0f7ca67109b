import {
  TensorProto_DataType as DataType,
  type GraphProto,
  type ModelProto,
  type NodeProto,
} from "../onnx/onnx-proto.ts";
import { int, nodeProto } from "./graph-builder.ts";

/** Inputs of GroupQueryAttention that have its element type: queries, keys, values; cos, sin; what is added to scores. */
const castInputs = [0, 1, 2, 7, 8, 10] as const;

/**
 * Makes a decoder of the app keep keys and values in half precision and compute its attention so; everything around it
 * stays as it is. Changes `model` itself.
 */
export function keepCacheInHalf({ graph }: ModelProto): void {
  if (graph === undefined) return;
  const nodes: NodeProto[] = [];
  const known = new Set<string>();
  for (const node of graph.node) {
    if (node.opType !== "GroupQueryAttention") {
      nodes.push(node);
      continue;
    }
    for (const at of castInputs) {
      const input = node.input[at] ?? "";
      if (input === "") continue;
      const name = `${input}/half`;
      // The rotary tables and masks of all layers are the same.
      if (!known.has(name)) nodes.push(cast({ name, input, output: name }, DataType.FLOAT16));
      known.add(name);
      node.input[at] = name;
    }
    const output = node.output[0] as string;
    const inHalf = `${output}/in_half`;
    node.output[0] = inHalf;
    nodes.push(node, cast({ name: `${output}/out`, input: inHalf, output }, DataType.FLOAT));
  }
  graph.node = nodes;
  setCacheType(graph, DataType.FLOAT16);
}

/** What keys and values are at the edges of a decoder. */
export function setCacheType(graph: GraphProto, elemType: DataType): void {
  for (const { name, type } of [...graph.input, ...graph.output]) {
    if (!/^(?:past|present)_(?:key|value)_\d+$/.test(name)) continue;
    if (type?.value.case === "tensorType") type.value.value.elemType = elemType;
  }
}

interface CastNames {
  readonly name: string;
  readonly input: string;
  readonly output: string;
}

function cast({ name, input, output }: CastNames, to: DataType): NodeProto {
  return nodeProto({ name, op: "Cast", inputs: [input], outputs: [output], attributes: { to: int(to) } });
}
