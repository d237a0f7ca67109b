import type { DecoderConfig } from "../decoder-config.ts";
import type { HfDecoderSettings } from "../hf-settings.ts";

/** What tells one decoder from another: the parts of a layer and the names of their tensors. */
export interface LayerDesign {
  /** Tensors of the norms in a layer, null where it has none. */
  readonly norms: {
    readonly beforeAttention: string | null;
    readonly afterAttention: string | null;
    readonly beforeMlp: string | null;
    readonly afterMlp: string | null;
  };
  /** RMS norm of queries and keys: of each head, or of all heads together. */
  readonly queryKeyNorm: "none" | "each-head" | "all-heads";
  /** Tensors whose outputs are queries, keys and values, in this order. */
  readonly qkv: readonly string[];
  readonly mlp:
    | {
        readonly type: "gated";
        /** Tensors whose outputs are gate and up, in this order. */
        readonly gateUp: readonly string[];
        readonly activation: "silu" | "gelu-tanh";
      }
    | { readonly type: "xielu"; readonly up: string; readonly activation: string };
}

/** A decoder-only architecture: how its layers are made and what its config.json says beside the common settings. */
export interface DecoderArchitecture {
  /** As config.json's `architectures` has it. */
  readonly name: string;
  /** As config.json's `model_type` has it. */
  readonly modelType: string;
  readonly design: LayerDesign;
  /** Values of config.json that count where it leaves them out (transformers' own defaults). */
  readonly defaults: Partial<HfDecoderSettings>;
  /** What is this architecture's own. */
  readonly settings: (json: HfDecoderSettings) => Partial<DecoderConfig>;
}

/** Llama's layer, which most others change in one or two places. */
export const llamaDesign: LayerDesign = {
  norms: {
    beforeAttention: "input_layernorm",
    afterAttention: null,
    beforeMlp: "post_attention_layernorm",
    afterMlp: null,
  },
  queryKeyNorm: "none",
  qkv: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
  mlp: { type: "gated", gateUp: ["mlp.gate_proj", "mlp.up_proj"], activation: "silu" },
};

/** Layers that config.json calls "sliding_attention"; null: it does not say. */
export function slidingLayers({ layer_types: types }: HfDecoderSettings): readonly number[] | null {
  if (types === undefined || types === null) return null;
  return types.flatMap((type, layer) => (type === "sliding_attention" ? [layer] : []));
}

export function allLayers({ num_hidden_layers: count }: HfDecoderSettings): readonly number[] {
  return Array.from({ length: count }, (_, layer) => layer);
}
