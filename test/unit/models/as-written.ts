import { toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "../../../models/onnx/onnx-proto.ts";
import { parseGraph } from "../../../models/pack/graph-references.ts";

/** The graph without its maker's name: it is run as it is, as graphs of others are (`processor-graph.ts`). */
export function asWritten(graph: Uint8Array): Uint8Array {
  const model = parseGraph(graph);
  model.producerName = "";
  return toBinary(ModelProtoSchema, model);
}
