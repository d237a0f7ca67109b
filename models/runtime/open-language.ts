import { appError } from "../../core/errors.ts";
import type { LanguageModel } from "./backend.ts";
import type { Engine, SessionOptions } from "./engine.ts";
import { carefulChunk } from "./careful-graph.ts";
import { ExportedLanguageModel } from "./exported-language-model.ts";
import { type LanguageModelSource, OrtLanguageModel } from "./language-model.ts";
import { cApi } from "./ort/engine.ts";

export interface LanguageModelInput extends LanguageModelSource {
  /** Whose graphs they are; absent: the app's own. */
  readonly layout?: "transformers-js" | undefined;
}

export async function openLanguageModel(
  source: LanguageModelInput,
  options: SessionOptions,
  engine: Engine = cApi,
): Promise<LanguageModel> {
  const used = options.careful ? { ...engine, chunk: carefulChunk } : engine;
  if (options.careful && readsImagesWhole(source)) {
    throw appError(
      "provider-not-available",
      "This model reads an image in one run, which gives wrong numbers on this graphics card. Choose the provider CPU.",
    );
  }
  if (options.provider?.name === "WebGPU" && capsScores(source)) {
    throw appError(
      "provider-not-available",
      "This model caps its attention scores, which is left out on graphics cards through WebGPU: its answers would be wrong. Choose the provider CPU.",
    );
  }
  return source.layout === "transformers-js"
    ? ExportedLanguageModel.open(source, options, used)
    : OrtLanguageModel.open(source, options, used);
}

/** ONNX Runtime's attention on WebGPU takes the attribute and does nothing with it (docs/decisions/model-runtime.md). */
function capsScores({ decoder }: LanguageModelInput): boolean {
  return decoder.type === "bytes" && Buffer.from(decoder.bytes).includes("softcap");
}

/** Its tokens see each other (docs/formats/pack.md), so they cannot be read in short runs. */
function readsImagesWhole({ decoder }: LanguageModelInput): boolean {
  return decoder.type === "bytes" && Buffer.from(decoder.bytes).includes("image_blocks");
}
