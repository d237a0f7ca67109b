import { Template } from "@huggingface/jinja";
import { appError } from "../../core/errors.ts";

/** Text, or images and text in a list, which some templates want. */
export type ChatContent =
  string | readonly ({ readonly type: "image" } | { readonly type: "text"; readonly text: string })[];

export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: ChatContent;
}

/** The chat template of a pack: Jinja text, and the special tokens it may name. */
export class ChatTemplate {
  readonly #template: Template;
  readonly #tokens: Readonly<Record<string, string>>;

  /** `tokens`: e.g. `{ bos_token, eos_token }`. @throws pack-damaged */
  constructor(source: string, tokens: Readonly<Record<string, string>>) {
    this.#tokens = tokens;
    try {
      this.#template = new Template(source);
    } catch (cause) {
      throw damaged(cause);
    }
  }

  /** The text that asks the model for its next turn. @throws pack-damaged */
  render(messages: readonly ChatMessage[]): string {
    try {
      return this.#template.render({
        ...this.#tokens,
        messages: messages.map((message) => ({ ...message })),
        add_generation_prompt: true,
      });
    } catch (cause) {
      throw damaged(cause);
    }
  }
}

function damaged(cause: unknown): Error {
  return appError(
    "pack-damaged",
    "The chat template of the model pack cannot be used. Install the pack again.",
    cause,
  );
}
