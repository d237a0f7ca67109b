import { llamaDesign, type DecoderArchitecture } from "./architecture.ts";

/** Llama 2 and 3, MEDITRON, SmolLM2, EuroLLM: pre-norm, grouped queries, rotary positions, gated MLP. */
export const llama: DecoderArchitecture = {
  name: "LlamaForCausalLM",
  modelType: "llama",
  design: llamaDesign,
  defaults: {
    rope_theta: 10_000,
    vocab_size: 32_000,
    hidden_size: 4096,
    intermediate_size: 11_008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    max_position_embeddings: 2048,
    rms_norm_eps: 1e-6,
  },
  settings: () => ({}),
};
