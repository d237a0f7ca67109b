import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  type GraphProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  TensorProto_DataType as DataType,
} from "../onnx/onnx-proto.ts";
import { moveScaleIntoRotary } from "./attention-scale.ts";
import type { GraphSource, SessionOptions } from "./engine.ts";
import { computeWantedRowsOnly } from "./wanted-rows.ts";

/** What the importer writes into graphs (`graph-builder.ts`): those of others are run as they are. */
const ownGraphs = "meditron-imaging-assistant";

/**
 * The graph as the processor computes it. Its kernels for half precision are few and slow, and round more than a card's
 * do; a graph of 16-bit weights is therefore computed in float32 there, keys and values too. What attention's scores are
 * multiplied by goes where it costs nothing, and the last layer ends with the tokens that are asked for.
 */
export function onProcessor(source: GraphSource, { provider }: SessionOptions): GraphSource {
  return provider === null && source.type === "bytes"
    ? { ...source, bytes: forProcessor(source.bytes) }
    : source;
}

function forProcessor(bytes: Uint8Array): Uint8Array {
  const model = fromBinary(ModelProtoSchema, bytes);
  if (model.graph === undefined || model.producerName !== ownGraphs) return bytes;
  withoutHalf(model.graph);
  moveScaleIntoRotary(model.graph);
  computeWantedRowsOnly(model.graph);
  return toBinary(ModelProtoSchema, model);
}

/** Weights stay what they are; every number that is computed is float32. */
function withoutHalf(graph: GraphProto): void {
  if (!graph.node.some(isCastToHalf)) return;
  for (const node of graph.node) if (isCastToHalf(node)) setTarget(node, DataType.FLOAT);
  for (const { type } of [...graph.input, ...graph.output]) {
    if (type?.value.case !== "tensorType") continue;
    if (type.value.value.elemType === DataType.FLOAT16) type.value.value.elemType = DataType.FLOAT;
  }
  widenWeights(graph);
}

function isCastToHalf({ opType, attribute }: NodeProto): boolean {
  const half = BigInt(DataType.FLOAT16);
  return opType === "Cast" && attribute.some(({ name, i }) => name === "to" && i === half);
}

function setTarget({ attribute }: NodeProto, to: DataType): void {
  for (const one of attribute) if (one.name === "to") one.i = BigInt(to);
}

/** Once, while the graph is loaded: the casts are of constants. */
function widenWeights(graph: GraphProto): void {
  const weights = new Set(
    graph.initializer.flatMap(({ name, dataType }) => (dataType === DataType.FLOAT16 ? [name] : [])),
  );
  const wide = (name: string) => `${name}/float32`;
  for (const node of graph.node) {
    node.input = node.input.map((name) => (weights.has(name) ? wide(name) : name));
  }
  const to = create(AttributeProtoSchema, { name: "to", type: AttributeType.INT, i: BigInt(DataType.FLOAT) });
  const casts = [...weights].map((name) =>
    create(NodeProtoSchema, {
      name: wide(name),
      opType: "Cast",
      input: [name],
      output: [wide(name)],
      attribute: [to],
    }),
  );
  graph.node.unshift(...casts);
}
