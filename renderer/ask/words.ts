import type { FrameSummary } from "../../core/frame.ts";
import type { Answer, Sentence } from "../../core/question.ts";
import type { View } from "../../core/view.ts";
import type { AnswerCardState, AnswerProgress } from "./fold-answer.ts";

/**
 * The words of docs/grounding.md on the screen. They say what was tested and never that an answer is right.
 */
export const grounds = {
  supported: "Rests on this region (tested)",
  diffuse: "Rests on the image as a whole",
  unsupported: "Not explained by the image",
  absent: "Absence: no region",
  untested: "Not tested",
  uncalibrated: "Not tested",
} as const satisfies Record<Sentence["state"], string>;

/** Stands for a sentence while its evidence is being measured. */
export const pendingGround = "Being tested";

export const groundDetails = {
  supported: "When this region was replaced, the model no longer stood behind the sentence.",
  diffuse: "The model used the image, but no single region carries the sentence.",
  unsupported: "The sentence needs this image no more than sentences about a wrong image do.",
  absent: "Stated as absent; absence cannot be shown by a region.",
  untested: "The evidence was not tested within the time allowed.",
  uncalibrated:
    "This model has no calibration: nothing says how large a change counts. A dashed box, where there is one, is where the answer changed most.",
} as const satisfies Record<Sentence["state"], string>;

export const cardNote = "Shows what the model used, not whether it is right.";
export const researchUse = "AI, research use only. Not for diagnosis.";

const stageWords = {
  load: "Loading the model",
  image: "Reading the image",
  prefill: "Reading the question",
  decode: "Answering",
  reliance: "Testing: does the answer need this image",
  map: "Testing: where in the image",
  region: "Testing the region",
} as const satisfies Record<AnswerProgress["stage"], string>;

export function progressText(progress: AnswerProgress | null): string {
  if (!progress) return "Starting";
  const words = stageWords[progress.stage];
  if (progress.remainingMs === null || progress.remainingMs < 1000) return words;
  return `${words}, about ${Math.round(progress.remainingMs / 1000)} s left`;
}

/** "Series 2, image 14 of 64": what an answer card says about where it was asked. */
export function placeText(subject: FrameSummary): string {
  const parts: string[] = [];
  if (subject.facts.modality) parts.push(subject.facts.modality);
  if (subject.seriesNumber !== null) parts.push(`series ${subject.seriesNumber}`);
  if (subject.instanceNumber !== null) parts.push(`image ${subject.instanceNumber}`);
  if (subject.frameCount > 1) parts.push(`frame ${subject.frame} of ${subject.frameCount}`);
  return parts.join(", ");
}

/** Where the model was not given the whole image. */
export function partText(views: readonly View[]): string {
  return views.some(({ crop }) => crop !== null) ? "part of the image" : "";
}

/** DICOM DA as the app shows dates; other text stays as it is. */
export function dateText(date: string): string {
  return /^\d{8}$/.test(date) ? `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}` : date;
}

/** PN components (PS3.5 section 6.2.1) in reading order: "Family, Given". */
export function nameText(patientName: string): string {
  const [family = "", given = "", middle = ""] = (patientName.split("=")[0] ?? "").split("^");
  const first = [given, middle].filter((part) => part !== "").join(" ");
  const name = [family, first].filter((part) => part !== "").join(", ");
  return name === "" ? "No name" : name;
}

/** What the clipboard gets: the text never leaves the app without what it is and where it came from. */
export function copiedText(card: AnswerCardState): string {
  const { subject, answer } = card;
  const lines = [card.text.trim(), "", `Question: ${card.question}`];
  lines.push(...(answer?.answer.sentences ?? card.sentences).map((s) => `- ${s.text} [${grounds[s.state]}]`));
  lines.push(...card.warnings.map((warning) => `Note: ${warning}`));
  lines.push(
    "",
    [
      nameText(subject.patientName),
      subject.patientId,
      dateText(subject.studyDate),
      subject.studyDescription,
      placeText(subject),
      partText(card.views),
    ]
      .filter((part) => part !== "")
      .join(" | "),
    `${researchUse} ${packText(answer)} ${card.askedAt}`.trim(),
    cardNote,
  );
  return lines.join("\n");
}

export function packText(answer: Answer | null): string {
  return answer
    ? `Model ${answer.pack.name} ${answer.pack.version} (${answer.pack.digest.slice(0, 12)}).`
    : "";
}

export function percentText(fraction: number): string {
  return `${Math.round(fraction * 100)} %`;
}

export function natsText(nats: number): string {
  return `${nats.toFixed(2)} nats`;
}
