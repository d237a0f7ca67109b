import { rotaryOf } from "../hf-settings.ts";
import { allLayers, slidingLayers, type DecoderArchitecture } from "./architecture.ts";
import { gemmaDesign, gemmaSettings } from "./gemma2.ts";

/** Gemma 3 and MedGemma: a norm of each query and key head; layers with a window have rotary positions of their own. */
export const gemma3: DecoderArchitecture = {
  name: "Gemma3ForCausalLM",
  modelType: "gemma3_text",
  design: { ...gemmaDesign, queryKeyNorm: "each-head" },
  defaults: {
    rope_theta: 1_000_000,
    rope_local_base_freq: 10_000,
    hidden_act: "gelu_pytorch_tanh",
    vocab_size: 262_208,
    head_dim: 256,
    num_attention_heads: 8,
    num_key_value_heads: 4,
    max_position_embeddings: 131_072,
    rms_norm_eps: 1e-6,
    sliding_window: 4096,
    query_pre_attn_scalar: 256,
    tie_word_embeddings: true,
  },
  settings(json) {
    const pattern = json.sliding_window_pattern ?? 6;
    return {
      ...gemmaSettings(json),
      localRotary: rotaryOf(json, "sliding_attention"),
      windowLayers: slidingLayers(json) ?? allLayers(json).filter((layer) => (layer + 1) % pattern !== 0),
    };
  },
};
