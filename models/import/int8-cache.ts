import { create } from "@bufbuild/protobuf";
import { appError } from "../../core/errors.ts";
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  type ModelProto,
  type NodeProto,
} from "../onnx/onnx-proto.ts";
import { parseGraph } from "../pack/graph-references.ts";
import { inlineTensor, modelBytes } from "./graph-builder.ts";

/** What keys and values of one layer are divided by, float32 [kvHeads × headSize]: each channel has its own. */
export interface CacheScales {
  readonly keys: Float32Array;
  readonly values: Float32Array;
}

/** Heads are those of keys and values. */
export interface CacheHeads {
  readonly layers: number;
  readonly heads: number;
  readonly headSize: number;
  /** Channels at the beginning of each head that positions turn, one of the first half with one of the second. */
  readonly turned: number;
}

/** Other texts and images may give larger values than what was measured; what is larger still is cut off. */
const margin = 1.25;
const largestInteger = 127;
/** Where GroupQueryAttention takes the scales of keys; those of values follow. */
const scalesInput = 12;

/**
 * Scales out of what a layer keeps of a text, keys and values as [heads, tokens, headSize]: the largest value of each
 * channel. By channel, because a few channels of the keys are many times as large as the others. Two channels that
 * positions turn into each other have the largest length of both, which no position changes: slow pairs are turned by
 * small angles only in a text as short as the measured one, and their values at later places would be cut off.
 */
export function cacheScales(
  [keys, values]: readonly (Float32Array | Int8Array)[],
  heads: Omit<CacheHeads, "layers">,
): CacheScales {
  if (keys === undefined || values === undefined) {
    throw appError("model-failed", "What the model has read cannot be looked at here.");
  }
  return { keys: channelScales(keys, heads), values: channelScales(values, { ...heads, turned: 0 }) };
}

export function largerScales(a: CacheScales, b: CacheScales): CacheScales {
  return { keys: larger(a.keys, b.keys), values: larger(a.values, b.values) };
}

function larger(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((value, i) => Math.max(value, b[i]!));
}

function channelScales(
  part: Float32Array | Int8Array,
  { heads, headSize, turned }: Omit<CacheHeads, "layers">,
): Float32Array {
  const scales = new Float32Array(heads * headSize);
  const each = part.length / heads;
  const half = turned / 2;
  for (let i = 0; i < part.length; i += 1) {
    const place = i % headSize;
    const channel = Math.floor(i / each) * headSize + place;
    const other = place >= turned ? 0 : part[place < half ? i + half : i - half]!;
    scales[channel] = Math.max(scales[channel]!, Math.hypot(part[i]!, other));
  }
  // A channel that was never used needs a scale all the same.
  return scales.map((largest) => (Math.max(largest, 1e-6) * margin) / largestInteger);
}

/** The graph of a decoder, or of one layer, with 8-bit keys and values, by scales. @throws not-supported */
export function inBytes(graph: Uint8Array, scales: readonly CacheScales[], heads: CacheHeads): Uint8Array {
  const model = parseGraph(graph);
  keepCacheInBytes(model, scales, heads);
  return modelBytes(model);
}

/**
 * Makes a decoder of the app keep keys and values as 8-bit integers: the same graph with other attributes and types of
 * its attention, and the scales in it. Changes `model` itself. @throws not-supported where it is another kind of graph
 */
export function keepCacheInBytes(model: ModelProto, scales: readonly CacheScales[], heads: CacheHeads): void {
  const { graph } = model;
  const nodes = graph?.node.filter(({ opType }) => opType === "GroupQueryAttention") ?? [];
  if (graph === undefined || nodes.length !== scales.length || nodes.length === 0) {
    throw appError("not-supported", "The attention of this decoder cannot keep its cache in 8 bits.");
  }
  for (const node of nodes) {
    const layer = Number(/^past_key_(\d+)$/.exec(node.input[3] ?? "")?.[1] ?? Number.NaN);
    const own = scales[layer];
    if (own === undefined) {
      throw appError("not-supported", "The attention of this decoder cannot keep its cache in 8 bits.");
    }
    while (node.input.length < scalesInput) node.input.push("");
    for (const [side, values] of [
      ["key", own.keys],
      ["value", own.values],
    ] as const) {
      const name = `cache_scale_${side}_${layer}`;
      const shape = [1, heads.heads, 1, heads.headSize];
      graph.initializer.push(inlineTensor({ name, type: "float32", shape }, values));
      node.input.push(name);
    }
    setAttributes(node);
  }
  for (const value of [...graph.input, ...graph.output]) {
    if (!/^(?:past|present)_(?:key|value)_\d+$/.test(value.name)) continue;
    if (value.type?.value.case === "tensorType") value.type.value.value.elemType = DataType.INT8;
  }
}

function setAttributes(node: NodeProto): void {
  const perChannel = new TextEncoder().encode("PER_CHANNEL");
  node.attribute.push(
    create(AttributeProtoSchema, { name: "k_quant_type", type: AttributeType.STRING, s: perChannel }),
    create(AttributeProtoSchema, { name: "v_quant_type", type: AttributeType.STRING, s: perChannel }),
    create(AttributeProtoSchema, { name: "kv_cache_bit_width", type: AttributeType.INT, i: 8n }),
  );
}
