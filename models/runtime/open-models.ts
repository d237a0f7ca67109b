import type { LanguageModel, VisionModel } from "./backend.ts";
import type { LanguageModelInput } from "./open-language.ts";
import type { ChosenProvider } from "./providers.ts";
import { openPreparedLanguage } from "./open-prepared.ts";
import { openWithSpare, SpareLanguageModel, SpareVisionModel } from "./spare-models.ts";
import type { VisionModelSource } from "./vision-model.ts";

export interface ModelSources {
  /** Of the pack. */
  readonly digest: string;
  /** Of its language model. */
  readonly weightBytes: () => Promise<number>;
  readonly language: LanguageModelInput;
  readonly vision: Omit<VisionModelSource, "hidden">;
  /** Called when the image encoder has left its card: it computes a little differently from then on. */
  readonly imagesMoved: () => void;
}

/** The models of a pack where the settings want them. */
export interface OpenedModels {
  readonly language: LanguageModel;
  readonly vision: VisionModel;
  /** What the language model runs on now: "cpu" from the moment it has left its card. */
  readonly provider: string;
  /** How often a part has left its card. */
  readonly moves: number;
  /** What answers must say of it. */
  readonly notes: readonly string[];
}

export async function openModels(chosen: ChosenProvider, sources: ModelSources): Promise<OpenedModels> {
  const { runtime, weights = null, outOfMemory = () => undefined } = chosen;
  const prepared = weights && { weights, digest: sources.digest, bytes: sources.weightBytes };
  const onCpu = { ...chosen, provider: null };
  const notes = [...(chosen.notes ?? [])];
  let provider = chosen.name;
  let moves = 0;
  const openLanguage = () => runtime.openLanguage(sources.language, chosen);
  const openLanguageOnCpu = () =>
    prepared === null
      ? runtime.openLanguage(sources.language, onCpu)
      : openPreparedLanguage(runtime, { source: sources.language, options: onCpu }, prepared);
  const languageSpare = {
    openOnCpu: openLanguageOnCpu,
    moved: () => {
      provider = "cpu";
      moves += 1;
      notes.push(leftCard("the model"));
      outOfMemory();
    },
  };
  const language =
    chosen.provider === null
      ? await openLanguageOnCpu()
      : await openWithSpare(
          openLanguage,
          (model) => new SpareLanguageModel(model, languageSpare),
          languageSpare,
        );
  try {
    const source = { ...sources.vision, hidden: language.hidden };
    const encoder = chosen.images === undefined ? chosen : { ...chosen, provider: chosen.images };
    const openVision = () => runtime.openVision(source, encoder);
    const visionSpare = {
      openOnCpu: () => runtime.openVision(source, onCpu),
      moved: () => {
        moves += 1;
        sources.imagesMoved();
        notes.push(leftCard("the image encoder"));
        outOfMemory();
      },
    };
    const vision =
      encoder.provider === null
        ? await openVision()
        : await openWithSpare(openVision, (model) => new SpareVisionModel(model, visionSpare), visionSpare);
    return {
      language,
      vision,
      notes,
      get provider() {
        return provider;
      },
      get moves() {
        return moves;
      },
    };
  } catch (thrown) {
    await language.dispose();
    throw thrown;
  }
}

function leftCard(what: string): string {
  return `The graphics card had too little memory for ${what}, which now runs on the processor. Nothing of the conversation was lost.`;
}
