import type { DecoderConfig } from "../decoder-config.ts";
import type { HfDecoderSettings } from "../hf-settings.ts";
import {
  allLayers,
  llamaDesign,
  slidingLayers,
  type DecoderArchitecture,
  type LayerDesign,
} from "./architecture.ts";

/** Norms before and after each part, GELU in the gate. */
export const gemmaDesign: LayerDesign = {
  ...llamaDesign,
  norms: {
    beforeAttention: "input_layernorm",
    afterAttention: "post_attention_layernorm",
    beforeMlp: "pre_feedforward_layernorm",
    afterMlp: "post_feedforward_layernorm",
  },
  mlp: { type: "gated", gateUp: ["mlp.gate_proj", "mlp.up_proj"], activation: "gelu-tanh" },
};

/** Gemma 2: capped scores and logits; every second layer sees a window only. */
export const gemma2: DecoderArchitecture = {
  name: "Gemma2ForCausalLM",
  modelType: "gemma2",
  design: gemmaDesign,
  defaults: {
    rope_theta: 10_000,
    hidden_act: "gelu_pytorch_tanh",
    head_dim: 256,
    num_key_value_heads: 4,
    rms_norm_eps: 1e-6,
    sliding_window: 4096,
    query_pre_attn_scalar: 256,
    attn_logit_softcapping: 50,
    final_logit_softcapping: 30,
    tie_word_embeddings: true,
  },
  settings: (json) => ({
    ...gemmaSettings(json),
    windowLayers: slidingLayers(json) ?? allLayers(json).filter((layer) => layer % 2 === 0),
  }),
};

export function gemmaSettings(json: HfDecoderSettings): Partial<DecoderConfig> {
  return {
    window: json.sliding_window ?? null,
    normOffset: 1,
    attentionScale: (json.query_pre_attn_scalar ?? 256) ** -0.5,
    attentionCap: json.attn_logit_softcapping ?? 0,
    logitCap: json.final_logit_softcapping ?? 0,
    embeddingScale: json.hidden_size ** 0.5,
  };
}
