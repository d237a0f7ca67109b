import type { HeaderFacts } from "../../core/frame.ts";

const chest = ["Is there a pleural effusion?", "Is the heart enlarged?", "What do you see?"];
const limb = ["Is there a fracture?", "Which part of the body is shown?", "What do you see?"];
const breast = ["Is there a lesion?", "Does the lesion look malignant?", "What do you see?"];
const general = ["What do you see?"];

/** Questions to start with, from the header's modality and body part; the model's own scope decides later. */
export function suggestedQuestions({ modality, bodyPart }: HeaderFacts): readonly string[] {
  if (modality === "US") return bodyPart === null || bodyPart === "BREAST" ? breast : general;
  if (modality === "CR" || modality === "DX" || modality === "RG") {
    if (bodyPart === "CHEST") return chest;
    return bodyPart === null ? general : limb;
  }
  return general;
}
