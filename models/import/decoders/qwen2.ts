import { allLayers, llamaDesign, slidingLayers, type DecoderArchitecture } from "./architecture.ts";
import type { DecoderConfig } from "../decoder-config.ts";
import type { HfDecoderSettings } from "../hf-settings.ts";

/** Qwen2 and Qwen2.5: Llama's layer with biases on queries, keys and values. */
export const qwen2: DecoderArchitecture = {
  name: "Qwen2ForCausalLM",
  modelType: "qwen2",
  design: llamaDesign,
  defaults: { rope_theta: 10_000 },
  settings: (json) => ({ ...qwenWindow(json), biases: { qkv: true, output: false, mlp: false } }),
};

/** The upper layers see a window only, and that only where `use_sliding_window` asks for it. */
export function qwenWindow(json: HfDecoderSettings): Pick<DecoderConfig, "window" | "windowLayers"> {
  if (json.use_sliding_window !== true || json.sliding_window == null) {
    return { window: null, windowLayers: [] };
  }
  const lowest = json.max_window_layers ?? 28;
  return {
    window: json.sliding_window,
    windowLayers: slidingLayers(json) ?? allLayers(json).filter((layer) => layer >= lowest),
  };
}
