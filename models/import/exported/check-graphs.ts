import { appError, type AppError } from "../../../core/errors.ts";
import {
  TensorProto_DataType as DataType,
  type ModelProto,
  type ValueInfoProto,
} from "../../onnx/onnx-proto.ts";
import type { DecoderConfig } from "../decoder-config.ts";

/** A size that must be so, or null where any will do. */
type Size = number | null;

interface Port {
  readonly type: DataType;
  readonly sizes: readonly Size[];
}

const float = DataType.FLOAT;
const int64 = DataType.INT64;

/** What the runtime does not know is refused by name. @throws architecture-not-supported, model-file-damaged */
export function checkDecoderPorts(model: ModelProto, config: DecoderConfig): void {
  const { hidden, kvHeads, headSize, vocabulary } = config;
  const cache: Port = { type: float, sizes: [null, kvHeads, null, headSize] };
  const inputs: Record<string, Port> = {
    inputs_embeds: { type: float, sizes: [null, null, hidden] },
    attention_mask: { type: int64, sizes: [null, null] },
  };
  const outputs: Record<string, Port> = { logits: { type: float, sizes: [null, null, vocabulary] } };
  for (let layer = 0; layer < config.layers; layer++) {
    for (const side of ["key", "value"]) {
      inputs[`past_key_values.${layer}.${side}`] = cache;
      outputs[`present.${layer}.${side}`] = cache;
    }
  }
  const optional: Record<string, Port> = {
    position_ids: { type: int64, sizes: [null, null] },
    num_logits_to_keep: { type: int64, sizes: [] },
  };
  checkPorts("decoder", model, { inputs, outputs, optional });
}

export function checkEmbedPorts(model: ModelProto, { hidden }: DecoderConfig): void {
  checkPorts("embedding", model, {
    inputs: { input_ids: { type: int64, sizes: [null, null] } },
    outputs: { inputs_embeds: { type: float, sizes: [null, null, hidden] } },
    optional: {},
  });
}

export interface ImageSizes {
  /** Pixels. */
  readonly height: number;
  readonly width: number;
  readonly tokens: number;
  /** Of the language model. */
  readonly hidden: number;
}

export function checkVisionPorts(model: ModelProto, { height, width, tokens, hidden }: ImageSizes): void {
  checkPorts("image encoder", model, {
    inputs: { pixel_values: { type: float, sizes: [null, 3, height, width] } },
    outputs: { image_features: { type: float, sizes: [null, tokens, hidden] } },
    optional: {},
  });
}

interface Ports {
  readonly inputs: Readonly<Record<string, Port>>;
  readonly outputs: Readonly<Record<string, Port>>;
  /** Inputs that may be absent. */
  readonly optional: Readonly<Record<string, Port>>;
}

function checkPorts(graph: string, model: ModelProto, { inputs, outputs, optional }: Ports): void {
  // Older exports list their weights among the inputs.
  const weights = new Set(model.graph?.initializer.map(({ name }) => name));
  const given = (model.graph?.input ?? []).filter(({ name }) => !weights.has(name));
  const known = { ...optional, ...inputs };
  for (const info of given) {
    const port = Object.hasOwn(known, info.name) ? known[info.name] : undefined;
    if (port === undefined)
      throw other(`its ${graph} graph has an input that is not known: ${info.name.slice(0, 100)}`);
    checkPort(graph, info, port);
  }
  requireNames(graph, given, Object.keys(inputs));
  const made = model.graph?.output ?? [];
  requireNames(graph, made, Object.keys(outputs));
  for (const info of made) {
    const port = Object.hasOwn(outputs, info.name) ? outputs[info.name] : undefined;
    if (port !== undefined) checkPort(graph, info, port);
  }
}

function requireNames(graph: string, infos: readonly ValueInfoProto[], names: readonly string[]): void {
  const found = new Set(infos.map(({ name }) => name));
  const missing = names.find((name) => !found.has(name));
  if (missing !== undefined) throw other(`its ${graph} graph lacks ${missing}`);
}

function checkPort(graph: string, info: ValueInfoProto, { type, sizes }: Port): void {
  const kind = info.type?.value;
  const what = `${info.name.slice(0, 100)} of its ${graph} graph`;
  if (kind?.case !== "tensorType") throw other(`${what} is no tensor`);
  const { elemType, shape } = kind.value;
  if (elemType !== type)
    throw other(
      `${what} has elements of another type (${DataType[elemType] ?? elemType}); float32 and int64 can be used`,
    );
  const dimensions = shape?.dim ?? [];
  // An output's shape may be left open; what is given must fit.
  if (shape !== undefined && dimensions.length !== sizes.length) throw other(`${what} has another rank`);
  for (const [i, { value }] of dimensions.entries()) {
    const size = sizes[i];
    if (value.case === "dimValue" && size != null && value.value !== BigInt(size))
      throw appError(
        "model-file-damaged",
        `The export contradicts its config.json: ${what} has another size.`,
      );
  }
}

function other(what: string): AppError {
  return appError("architecture-not-supported", `This ONNX export cannot be used as it is: ${what}.`);
}
