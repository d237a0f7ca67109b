import { allLayers, llamaDesign, type DecoderArchitecture } from "./architecture.ts";

/** Mistral 7B: Llama's layer; in the first versions every layer sees a window only. */
export const mistral: DecoderArchitecture = {
  name: "MistralForCausalLM",
  modelType: "mistral",
  design: llamaDesign,
  defaults: {
    rope_theta: 10_000,
    vocab_size: 32_000,
    hidden_size: 4096,
    intermediate_size: 14_336,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    max_position_embeddings: 131_072,
    rms_norm_eps: 1e-6,
    sliding_window: 4096,
  },
  settings: (json) => ({
    window: json.sliding_window ?? null,
    windowLayers: json.sliding_window == null ? [] : allLayers(json),
  }),
};
