import { appError } from "../../core/errors.ts";
import { plainPrompt, type PackPrompt } from "../pack/pack-schema.ts";
import type { ChatContent, ChatTemplate } from "./chat-template.ts";
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
  /** Absent: `plainPrompt`. */
  readonly layout?: PackPrompt;
}

/**
 * Token ids of the text before the first image, between the images, and behind the last: `images + 1` lists. The
 * user's turn is the images, the header line and the question, as in training (docs/formats/pack.md).
 */
export function promptText(prompt: PromptText): number[][] {
  const { tokenizer, template, imageToken, images, headerLine, layout = plainPrompt } = prompt;
  const question = tokenizer.withoutSpecialTokens(prompt.question.trim(), [imageToken]);
  const text = headerLine === "" ? question : `${headerLine}\n${question}`;
  const content: ChatContent =
    layout.content === "text"
      ? `${imageToken.repeat(images)}\n${text}`
      : [...Array.from({ length: images }, () => ({ type: "image" as const })), { type: "text", text }];
  const pieces = template.render([{ role: "user", content }]).split(imageToken);
  if (pieces.length !== images + 1) {
    throw appError(
      "pack-damaged",
      "The chat template of the model pack loses images. Install the pack again.",
    );
  }
  const ids = pieces.map((piece, index) => {
    const before = index === 0 ? "" : layout.after_image;
    const after = index === images ? "" : layout.before_image;
    return tokenizer.encode(before + piece + after);
  });
  const [first = [], ...rest] = ids;
  return layout.drops_token_before_first_image && images > 0 ? [first.slice(0, -1), ...rest] : ids;
}
