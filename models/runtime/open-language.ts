import type { LanguageModel } from "./backend.ts";
import type { Engine, SessionOptions } from "./engine.ts";
import { ExportedLanguageModel } from "./exported-language-model.ts";
import { type LanguageModelSource, OrtLanguageModel } from "./language-model.ts";
import { cApi } from "./ort/engine.ts";

export interface LanguageModelInput extends LanguageModelSource {
  /** Whose graphs they are; absent: the app's own. */
  readonly layout?: "transformers-js" | undefined;
}

export function openLanguageModel(
  source: LanguageModelInput,
  options: SessionOptions,
  engine: Engine = cApi,
): Promise<LanguageModel> {
  return source.layout === "transformers-js"
    ? ExportedLanguageModel.open(source, options, engine)
    : OrtLanguageModel.open(source, options, engine);
}
