import type { LanguageModel, VisionModel } from "./backend.ts";
import type { LanguageModelInput } from "./open-language.ts";
import type { ChosenProvider } from "./providers.ts";
import { openWithSpare, SpareLanguageModel, SpareVisionModel } from "./spare-models.ts";
import type { VisionModelSource } from "./vision-model.ts";

export interface ModelSources {
  readonly language: LanguageModelInput;
  readonly vision: Omit<VisionModelSource, "hidden">;
}

/** The models of a pack where the settings want them. */
export interface OpenedModels {
  readonly language: LanguageModel;
  readonly vision: VisionModel;
  /** What the language model runs on now: "cpu" from the moment it has left its card. */
  readonly provider: string;
  /** What answers must say of it. */
  readonly notes: readonly string[];
}

/** `outOfMemory` is called where a card's memory was not enough for one of them. */
export async function openModels(
  chosen: ChosenProvider,
  sources: ModelSources,
  outOfMemory: () => void = () => undefined,
): Promise<OpenedModels> {
  const { runtime } = chosen;
  const onCpu = { ...chosen, provider: null };
  const notes = [...(chosen.notes ?? [])];
  let provider = chosen.name;
  const openLanguage = () => runtime.openLanguage(sources.language, chosen);
  const languageSpare = {
    openOnCpu: () => runtime.openLanguage(sources.language, onCpu),
    moved: () => {
      provider = "cpu";
      notes.push(leftCard("the model"));
      outOfMemory();
    },
  };
  const language =
    chosen.provider === null
      ? await openLanguage()
      : await openWithSpare(
          openLanguage,
          (model) => new SpareLanguageModel(model, languageSpare),
          languageSpare,
        );
  try {
    const source = { ...sources.vision, hidden: language.hidden };
    const openVision = () => runtime.openVision(source, chosen);
    const visionSpare = {
      openOnCpu: () => runtime.openVision(source, onCpu),
      moved: () => {
        notes.push(leftCard("the image encoder"));
        outOfMemory();
      },
    };
    const vision =
      chosen.provider === null
        ? await openVision()
        : await openWithSpare(openVision, (model) => new SpareVisionModel(model, visionSpare), visionSpare);
    return {
      language,
      vision,
      notes,
      get provider() {
        return provider;
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
