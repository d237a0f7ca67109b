import { ChatTemplate } from "../../text/chat-template.ts";
import type { PackPrompt } from "../../pack/pack-schema.ts";
import { tokenText } from "../hf-tokenizer.ts";

/** ChatML, for checkpoints without a template of their own; MEDITRON's base models were tuned with it. */
const chatMl =
  "{{ bos_token if bos_token is defined else '' }}{% for message in messages %}<|im_start|>{{ message['role'] }}\n" +
  "{{ message['content'] }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

export interface ChatLayout {
  readonly content: PackPrompt["content"];
  /** tokenizer_config.json with the template that is used; null: as it is. */
  readonly tokenizerConfig: object | null;
}

/**
 * How a checkpoint's chat template takes images: as text that holds `imageToken`, or as a list of images and text in
 * which it writes the token itself. `preferred` is tried first.
 */
export function chatLayout(config: object, imageToken: string, preferred: PackPrompt["content"]): ChatLayout {
  const source = (config as { chat_template?: unknown }).chat_template;
  const other = preferred === "text" ? "parts" : "text";
  if (typeof source === "string") {
    for (const content of [preferred, other] as const) {
      if (writesImage(source, config, { imageToken, content })) return { content, tokenizerConfig: null };
    }
  }
  return { content: "text", tokenizerConfig: { ...config, chat_template: chatMl } };
}

function writesImage(
  source: string,
  config: object,
  { imageToken, content }: { readonly imageToken: string; readonly content: PackPrompt["content"] },
): boolean {
  const tokens: Record<string, string> = {};
  for (const name of ["bos_token", "eos_token", "unk_token", "pad_token"]) {
    const text = tokenText((config as Readonly<Record<string, unknown>>)[name]);
    if (text !== null) tokens[name] = text;
  }
  try {
    const text = "What is seen?";
    const rendered = new ChatTemplate(source, tokens).render([
      {
        role: "user",
        content: content === "text" ? `${imageToken}\n${text}` : [{ type: "image" }, { type: "text", text }],
      },
    ]);
    return rendered.split(imageToken).length === 2 && rendered.split(text).length === 2;
  } catch {
    return false;
  }
}
