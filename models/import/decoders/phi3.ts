import { allLayers, llamaDesign, type DecoderArchitecture } from "./architecture.ts";

/** Phi-3 and Phi-4: queries, keys and values in one tensor, gate and up in another. */
export const phi3: DecoderArchitecture = {
  name: "Phi3ForCausalLM",
  modelType: "phi3",
  design: {
    ...llamaDesign,
    qkv: ["self_attn.qkv_proj"],
    mlp: { type: "gated", gateUp: ["mlp.gate_up_proj"], activation: "silu" },
  },
  defaults: { rope_theta: 10_000, original_max_position_embeddings: 4096 },
  settings: (json) => ({
    window: json.sliding_window ?? null,
    windowLayers: json.sliding_window == null ? [] : allLayers(json),
  }),
};
