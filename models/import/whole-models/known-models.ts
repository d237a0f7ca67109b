import { readGemma3 } from "./gemma3.ts";
import { readLlava } from "./llava.ts";
import type { ModelReader } from "./model-folder.ts";
import { readMultiMeditron } from "./multi-meditron.ts";

/** Models of several parts, by the architecture that config.json names. */
const byArchitecture: ReadonlyMap<string, ModelReader> = new Map([
  ["LlavaForConditionalGeneration", readLlava],
  ["Gemma3ForConditionalGeneration", readGemma3],
]);

/** Null: config.json describes a language model alone. */
export function wholeModelReader(json: object): ModelReader | null {
  const { architectures, model_type: type } = json as { architectures?: unknown; model_type?: unknown };
  if (type === "multimodal") return readMultiMeditron;
  const name: unknown = Array.isArray(architectures) ? architectures[0] : undefined;
  return typeof name === "string" ? (byArchitecture.get(name) ?? null) : null;
}
