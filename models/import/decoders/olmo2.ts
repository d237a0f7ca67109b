import { llamaDesign, type DecoderArchitecture } from "./architecture.ts";

/** OLMo 2: norms after each part instead of before it, and over all query and key heads together. */
export const olmo2: DecoderArchitecture = {
  name: "Olmo2ForCausalLM",
  modelType: "olmo2",
  design: {
    ...llamaDesign,
    norms: {
      beforeAttention: null,
      afterAttention: "post_attention_layernorm",
      beforeMlp: null,
      afterMlp: "post_feedforward_layernorm",
    },
    queryKeyNorm: "all-heads",
  },
  defaults: { rope_theta: 10_000, rms_norm_eps: 1e-5 },
  settings: () => ({}),
};
