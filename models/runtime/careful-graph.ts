import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "../onnx/onnx-proto.ts";

/** Accuracy level 1 of MatMulNBits: activations stay float32. */
const floatActivations = 1n;

/** Tokens of one run over a prompt, which may get one more: from 32 on WebGPU takes another kernel for attention. */
export const carefulChunk = 30;

/** The graph with exact products: level 4 rounds activations to 8 bits, which some devices do wrongly. */
export function carefulGraph(bytes: Uint8Array): Uint8Array {
  const model = fromBinary(ModelProtoSchema, bytes);
  for (const { opType, attribute } of model.graph?.node ?? []) {
    if (opType !== "MatMulNBits") continue;
    for (const one of attribute) if (one.name === "accuracy_level") one.i = floatActivations;
  }
  return toBinary(ModelProtoSchema, model);
}
