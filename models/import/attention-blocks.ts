import type { DecoderScope } from "./decoder-blocks.ts";
import type { LayerDesign } from "./decoders/architecture.ts";
import { float, int, type AttributeValue } from "./graph-builder.ts";
import type { AttentionMasks } from "./image-mask.ts";
import { rmsEpsilon, writeVector } from "./graph-weights.ts";
import type { RotaryTables } from "./rotary-tables.ts";

export interface AttentionSpec {
  readonly layer: number;
  /** [batch, seq, (heads + 2 × kvHeads) × headSize] */
  readonly packedQkv: string;
  readonly rotary: RotaryTables;
  readonly queryKeyNorm: LayerDesign["queryKeyNorm"];
  /** Null: every token sees what is before it. */
  readonly masks: AttentionMasks | null;
}

/**
 * Grouped-query attention over the cache, [batch, seq, heads × headSize]; rotary positions, window and cap are applied
 * by the kernel.
 */
export async function attention(scope: DecoderScope, spec: AttentionSpec): Promise<string> {
  const { builder, config } = scope;
  const { layer } = spec;
  const queries = spec.queryKeyNorm === "none" ? [spec.packedQkv, "", ""] : await normedParts(scope, spec);
  const cacheShape = ["batch", config.kvHeads, "capacity", config.headSize];
  const past = [`past_key_${layer}`, `past_value_${layer}`];
  const present = [`present_key_${layer}`, `present_value_${layer}`];
  for (const name of past) builder.input(name, "float32", cacheShape);
  for (const name of present) builder.output(name, "float32", cacheShape);
  const windowed = config.window !== null && config.windowLayers.includes(layer);
  const { cos, sin } = windowed ? spec.rotary.window : spec.rotary.all;
  const output = `layers/${layer}/attention`;
  const attributes: Record<string, AttributeValue> = {
    num_heads: int(config.heads),
    kv_num_heads: int(config.kvHeads),
    do_rotary: int(1),
    rotary_interleaved: int(0),
    scale: float(config.attentionScale),
  };
  const { masks } = spec;
  if (masks !== null) attributes["causal"] = int(0);
  else if (windowed && config.window !== null) attributes["local_window_size"] = int(config.window);
  if (config.attentionCap > 0) attributes["softcap"] = float(config.attentionCap);
  return builder.node({
    name: output,
    op: "GroupQueryAttention",
    inputs: [
      ...queries,
      ...past,
      "seqlens_k",
      "total_sequence_length",
      cos,
      sin,
      ...(masks === null ? [] : ["", windowed ? masks.window : masks.all]),
    ],
    outputs: [output, ...present],
    attributes,
  });
}

/** Queries and keys after their norms, and values, [batch, seq, heads × headSize] each. */
async function normedParts(scope: DecoderScope, spec: AttentionSpec): Promise<string[]> {
  const { builder, config } = scope;
  const name = `layers/${spec.layer}`;
  const queryWidth = config.heads * config.headSize;
  const keyWidth = config.kvHeads * config.headSize;
  const [queries, keys, values] = [`${name}/queries`, `${name}/keys`, `${name}/values`] as const;
  builder.node({
    name: `${name}/parts`,
    op: "Split",
    inputs: [
      spec.packedQkv,
      builder.constant(
        { name: "attention/widths", type: "int64", shape: [3] },
        BigInt64Array.of(BigInt(queryWidth), BigInt(keyWidth), BigInt(keyWidth)),
      ),
    ],
    outputs: [queries, keys, values],
    attributes: { axis: int(-1) },
  });
  const tensor = (part: string) => `model.layers.${spec.layer}.self_attn.${part}_norm.weight`;
  const each = spec.queryKeyNorm === "each-head";
  return [
    await partNorm(scope, { input: queries, source: tensor("q"), width: queryWidth, each }),
    await partNorm(scope, { input: keys, source: tensor("k"), width: keyWidth, each }),
    values,
  ];
}

interface PartNorm {
  readonly input: string;
  readonly source: string;
  readonly width: number;
  /** Each head by itself. */
  readonly each: boolean;
}

async function partNorm(scope: DecoderScope, { input, source, width, each }: PartNorm): Promise<string> {
  const { builder, config, writer } = scope;
  const length = each ? config.headSize : width;
  const weight = await writeVector(builder, writer.tensors, { source, length, offset: config.normOffset });
  const attributes = { axis: int(-1), ...rmsEpsilon(config.normEpsilon) };
  const norm = (name: string, from: string) =>
    builder.node({ name, op: "SimplifiedLayerNormalization", inputs: [from, weight], attributes });
  if (!each) return norm(`${input}/normed`, input);
  const heads = builder.reshape(`${input}/heads`, input, [0, 0, -1, config.headSize]);
  return builder.reshape(`${input}/normed`, norm(`${input}/heads_normed`, heads), [0, 0, width]);
}
