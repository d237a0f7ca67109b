import { llamaDesign, type DecoderArchitecture } from "./architecture.ts";
import { qwenWindow } from "./qwen2.ts";

/** Qwen3: Llama's layer with a norm of each query and key head. */
export const qwen3: DecoderArchitecture = {
  name: "Qwen3ForCausalLM",
  modelType: "qwen3",
  design: { ...llamaDesign, queryKeyNorm: "each-head" },
  defaults: { rope_theta: 10_000, head_dim: 128 },
  settings: qwenWindow,
};
