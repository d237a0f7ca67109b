import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { floatToHalf } from "../../../models/import/half-float.ts";
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProto_DataType as DataType,
  type ValueInfoProto,
} from "../../../models/onnx/onnx-proto.ts";

/**
 * The same decoder with weights, keys and values in half precision: what it is given and what it gives stay float32
 * and are converted inside.
 */
export function halfGraph(bytes: Uint8Array): Uint8Array {
  const model = fromBinary(ModelProtoSchema, bytes);
  const graph = model.graph!;
  for (const tensor of graph.initializer) {
    if (tensor.dataType !== DataType.FLOAT) continue;
    const raw = tensor.rawData.slice();
    const values = new Float32Array(raw.buffer, 0, raw.length / 4);
    tensor.dataType = DataType.FLOAT16;
    tensor.rawData = new Uint8Array(Uint16Array.from(values, floatToHalf).buffer);
  }
  for (const info of [...graph.input, ...graph.output]) {
    if (/^(?:past|present)_/.test(info.name)) setType(info, DataType.FLOAT16);
  }
  for (const node of graph.node) {
    node.input = node.input.map((name) => (name === "inputs_embeds" ? "half_embeds" : name));
    node.output = node.output.map((name) => (name === "logits" ? "half_logits" : name));
  }
  graph.node.unshift(cast("half_embeds", "inputs_embeds", DataType.FLOAT16));
  graph.node.push(cast("logits", "half_logits", DataType.FLOAT));
  return toBinary(ModelProtoSchema, model);
}

function cast(output: string, input: string, to: DataType) {
  const type = AttributeType.INT;
  return create(NodeProtoSchema, {
    name: `${output}_cast`,
    opType: "Cast",
    input: [input],
    output: [output],
    attribute: [create(AttributeProtoSchema, { name: "to", type, i: BigInt(to) })],
  });
}

function setType({ type }: ValueInfoProto, elemType: DataType): void {
  if (type?.value.case === "tensorType") type.value.value.elemType = elemType;
}
