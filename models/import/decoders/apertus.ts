import { llamaDesign, type DecoderArchitecture } from "./architecture.ts";

/** Apertus: xIELU (arXiv 2411.13010) in place of a gate, a norm of each query and key head. */
export const apertus: DecoderArchitecture = {
  name: "ApertusForCausalLM",
  modelType: "apertus",
  design: {
    ...llamaDesign,
    norms: {
      beforeAttention: "attention_layernorm",
      afterAttention: null,
      beforeMlp: "feedforward_layernorm",
      afterMlp: null,
    },
    queryKeyNorm: "each-head",
    mlp: { type: "xielu", up: "mlp.up_proj", activation: "mlp.act_fn" },
  },
  defaults: {
    hidden_act: "xielu",
    rope_theta: 12_000_000,
    rms_norm_eps: 1e-5,
    rope_scaling: {
      rope_type: "llama3",
      factor: 8,
      original_max_position_embeddings: 8192,
      low_freq_factor: 1,
      high_freq_factor: 4,
    },
  },
  settings: () => ({}),
};
