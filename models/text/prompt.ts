import { appError } from "../../core/errors.ts";
import type { ChatTemplate } from "./chat-template.ts";
import type { TextTokenizer } from "./tokenizer.ts";

export interface PromptText {
  readonly tokenizer: TextTokenizer;
  readonly template: ChatTemplate;
  /** Stands in the template's text where an image's tokens go; not in the vocabulary. */
  readonly imageToken: string;
  readonly images: number;
  /** The closed header line, or "". */
  readonly headerLine: string;
  readonly question: string;
}

/**
 * Token ids of the text before the first image, between the images, and behind the last: `images + 1` lists. The
 * user's turn is the images, the header line and the question, as in training (docs/packs.md).
 */
export function promptText(prompt: PromptText): number[][] {
  const { tokenizer, template, imageToken, images, headerLine } = prompt;
  const question = tokenizer.withoutSpecialTokens(prompt.question.trim(), [imageToken]);
  const lines = headerLine === "" ? [question] : [headerLine, question];
  const content = `${imageToken.repeat(images)}\n${lines.join("\n")}`;
  const pieces = template.render([{ role: "user", content }]).split(imageToken);
  if (pieces.length !== images + 1) {
    throw appError(
      "pack-damaged",
      "The chat template of the model pack loses images. Install the pack again.",
    );
  }
  return pieces.map((piece) => tokenizer.encode(piece));
}
