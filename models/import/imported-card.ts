import type { PackCard } from "../../core/model-pack.ts";
import type { Checkpoint, VisionPart } from "./checkpoint.ts";

/** What can be said of a model that was imported and not measured. */
export function importedCard(
  { architecture, config, adapted = false }: Pick<Checkpoint, "architecture" | "config" | "adapted">,
  vision: VisionPart,
): PackCard {
  const prompt = vision.prompt.drops_token_before_first_image
    ? ["As upstream, the model reads its prompt without the token before the first image."]
    : [];
  return {
    title: architecture,
    summary:
      `Imported: language model ${config.architecture}, image encoder ${vision.name}.` +
      (adapted ? " A LoRA adapter was merged into the language model." : ""),
    researchUse: "Research use only. Not a medical device.",
    trainingData: [],
    split: "",
    figures: [],
    knownFailures: [
      "Not measured and not calibrated here: its sentences stay without a tested region until the pack is calibrated.",
      "Which images it is for is not stated.",
      ...prompt,
    ],
  };
}
