import * as v from "valibot";
import { appError } from "../../core/errors.ts";
import { yarnAmplitude, type RotaryConfig, type RotaryScaling } from "./rotary.ts";

const numbers = v.optional(v.nullable(v.pipe(v.array(v.number()), v.maxLength(4096))));
const number = v.optional(v.nullable(v.number()));
const flag = v.optional(v.nullable(v.boolean()));

const ropeSchema = v.object({
  rope_type: v.optional(v.string()),
  /** The older name of rope_type. */
  type: v.optional(v.string()),
  rope_theta: number,
  partial_rotary_factor: number,
  factor: number,
  low_freq_factor: number,
  high_freq_factor: number,
  original_max_position_embeddings: number,
  attention_factor: number,
  beta_fast: number,
  beta_slow: number,
  mscale: number,
  mscale_all_dim: number,
  truncate: flag,
  short_factor: numbers,
  long_factor: numbers,
});
type Rope = v.InferOutput<typeof ropeSchema>;

/** One for all layers, or one for each kind of layer. */
const ropesSchema = v.object({
  ...ropeSchema.entries,
  full_attention: v.optional(v.nullable(ropeSchema)),
  sliding_attention: v.optional(v.nullable(ropeSchema)),
});

/** The settings of a decoder in config.json that matter here, as transformers writes them. */
export const hfDecoderSchema = v.object({
  architectures: v.optional(v.nullable(v.array(v.string()))),
  num_hidden_layers: v.number(),
  hidden_size: v.number(),
  intermediate_size: v.number(),
  num_attention_heads: v.number(),
  num_key_value_heads: number,
  head_dim: number,
  vocab_size: v.number(),
  max_position_embeddings: v.number(),
  original_max_position_embeddings: number,
  rope_theta: number,
  rope_local_base_freq: number,
  partial_rotary_factor: number,
  rope_scaling: v.optional(v.nullable(ropeSchema)),
  rope_parameters: v.optional(v.nullable(ropesSchema)),
  rms_norm_eps: v.number(),
  tie_word_embeddings: flag,
  attention_bias: flag,
  mlp_bias: flag,
  hidden_act: v.optional(v.nullable(v.string())),
  hidden_activation: v.optional(v.nullable(v.string())),
  sliding_window: number,
  sliding_window_pattern: number,
  use_sliding_window: flag,
  max_window_layers: number,
  layer_types: v.optional(v.nullable(v.pipe(v.array(v.string()), v.maxLength(1024)))),
  query_pre_attn_scalar: number,
  attn_logit_softcapping: number,
  final_logit_softcapping: number,
  use_bidirectional_attention: v.optional(v.nullable(v.union([v.boolean(), v.string()]))),
});
export type HfDecoderSettings = v.InferOutput<typeof hfDecoderSchema>;

/** The rotary positions of one kind of layer, whichever way config.json writes them. */
export function rotaryOf(
  settings: HfDecoderSettings,
  kind: "full_attention" | "sliding_attention",
): RotaryConfig {
  const rope = ropeOf(settings, kind);
  const headSize = settings.head_dim ?? settings.hidden_size / settings.num_attention_heads;
  const base = kind === "full_attention" ? settings.rope_theta : settings.rope_local_base_freq;
  const part = rope.partial_rotary_factor ?? settings.partial_rotary_factor ?? 1;
  return {
    theta: rope.rope_theta ?? base ?? 10_000,
    width: Math.trunc(headSize * part),
    scaling: scalingOf(rope, settings),
  };
}

function ropeOf(settings: HfDecoderSettings, kind: "full_attention" | "sliding_attention"): Rope {
  const parameters = settings.rope_parameters;
  if (parameters !== undefined && parameters !== null) return parameters[kind] ?? parameters;
  // Older files scale the layers that see everything only.
  return (kind === "full_attention" ? settings.rope_scaling : null) ?? {};
}

function scalingOf(rope: Rope, settings: HfDecoderSettings): RotaryScaling {
  const type = rope.rope_type ?? rope.type ?? "default";
  const needed = (value: number | null | undefined, name: string): number => {
    if (value === undefined || value === null) {
      throw appError("model-file-damaged", `config.json lacks ${name} for its rotary positions.`);
    }
    return value;
  };
  switch (type) {
    case "default":
      return { type: "none" };
    case "linear":
      return { type: "linear", factor: needed(rope.factor, "factor") };
    case "llama3":
      return {
        type: "llama3",
        factor: needed(rope.factor, "factor"),
        lowFrequency: needed(rope.low_freq_factor, "low_freq_factor"),
        highFrequency: needed(rope.high_freq_factor, "high_freq_factor"),
        originalContext: rope.original_max_position_embeddings ?? settings.max_position_embeddings,
      };
    case "yarn":
      return yarn(rope, settings);
    case "dynamic":
      // It changes nothing before max_position_embeddings, and changes every key behind it: the context ends there.
      return { type: "none" };
    case "longrope":
    case "su":
      return longRope(rope, settings);
    default:
      throw appError(
        "architecture-not-supported",
        `Rotary positions scaled by "${type.slice(0, 50)}" cannot be imported.`,
      );
  }
}

function yarn(rope: Rope, settings: HfDecoderSettings): RotaryScaling {
  const original = yarnOriginal(rope, settings);
  const factor = rope.factor ?? settings.max_position_embeddings / original;
  const { mscale, mscale_all_dim: all } = rope;
  return {
    type: "yarn",
    factor,
    betaFast: rope.beta_fast || 32,
    betaSlow: rope.beta_slow || 1,
    originalContext: original,
    wholePlaces: rope.truncate ?? true,
    amplitude:
      rope.attention_factor ??
      (mscale && all ? yarnAmplitude(factor, mscale) / yarnAmplitude(factor, all) : yarnAmplitude(factor)),
  };
}

/** Tokens that the model was made for before it was stretched. */
function yarnOriginal(rope: Rope, settings: HfDecoderSettings): number {
  return rope.original_max_position_embeddings ?? settings.max_position_embeddings;
}

/**
 * LongRoPE has two lists of divisors, one for prompts up to the original context and one for longer ones, and keys of
 * one do not go with the other. A cache that is kept between questions needs one list: the first, and its context.
 */
function longRope(rope: Rope, settings: HfDecoderSettings): RotaryScaling {
  const original = settings.original_max_position_embeddings ?? rope.original_max_position_embeddings;
  const divisors = rope.short_factor;
  if (!original || !divisors) {
    throw appError("model-file-damaged", "config.json lacks short_factor or the original context length.");
  }
  const factor = rope.factor ?? settings.max_position_embeddings / original;
  const amplitude =
    rope.attention_factor ?? (factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original)));
  return { type: "listed", divisors, amplitude };
}

/** Tokens: what LongRoPE leaves of them, or what YaRN stretches them to. */
export function contextOf(settings: HfDecoderSettings): number {
  const rope = ropeOf(settings, "full_attention");
  const whole = settings.max_position_embeddings;
  switch (rope.rope_type ?? rope.type) {
    case "longrope":
    case "su":
      return Math.min(
        whole,
        settings.original_max_position_embeddings ?? rope.original_max_position_embeddings ?? whole,
      );
    case "yarn":
      // Qwen's model cards add YaRN to config.json and leave the context as it was.
      return Math.max(whole, Math.floor((rope.factor ?? 1) * yarnOriginal(rope, settings)));
    default:
      return whole;
  }
}
