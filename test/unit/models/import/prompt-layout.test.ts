import { describe, expect, it } from "vitest";
import { chatLayout } from "../../../../models/import/whole-models/chat-layout.ts";
import { plainPrompt, type PackPrompt } from "../../../../models/pack/pack-schema.ts";
import { ChatTemplate } from "../../../../models/text/chat-template.ts";
import { promptText } from "../../../../models/text/prompt.ts";
import { tinyTemplate } from "../tiny-pack.ts";
import { tinyTokenizer } from "../tiny-tokenizer.ts";

/** LLaVA's way: the template goes through a list and writes the token itself. */
const listTemplate =
  "{% for m in messages %}{{ m.role }}: {% for part in m.content %}{% if part.type == 'image' %}<image>\n" +
  "{% else %}{{ part.text }}{% endif %}{% endfor %} {% endfor %}assistant:";
/** Refuses a list, as templates that join strings do. */
const textTemplate = "{% for m in messages %}[{{ m.content | trim }}]{% endfor %}";

const tokenizer = tinyTokenizer();
function written(source: string, imageToken: string, layout: Partial<PackPrompt>): string[] {
  return promptText({
    tokenizer,
    template: new ChatTemplate(source, {}),
    imageToken,
    images: 2,
    headerLine: "Modality: CR.",
    question: "Why? <image>",
    layout: { ...plainPrompt, ...layout },
  }).map((ids) => tokenizer.decode(ids));
}

describe("a prompt of an imported pack", () => {
  it("gives a template images and text in a list where it wants one", () => {
    expect(written(listTemplate, "<image>", { content: "parts" })).toEqual([
      "user: ",
      "\n",
      "\nModality: CR.\nWhy? < image> assistant:",
    ]);
  });

  it("has the text that belongs around an image behind the template, where no trim takes it", () => {
    const around = { before_image: "\n\n(", after_image: ")\n\n" };
    expect(written(textTemplate, "<image>", around)).toEqual([
      "[\n\n(",
      ")\n\n\n\n(",
      ")\n\n\nModality: CR.\nWhy? < image>]",
    ]);
  });

  it("drops the token before the first image alone where the model was trained so", () => {
    const plain = written(tinyTemplate, "<image>", {});
    const dropped = written(tinyTemplate, "<image>", { drops_token_before_first_image: true });
    expect(plain[0]).toBe("user\n");
    expect(dropped[0]).toBe("user");
    expect(dropped.slice(1)).toEqual(plain.slice(1));
  });
});

describe("the layout of a checkpoint's chat template", () => {
  it("is read off what the template does with an image", () => {
    expect(chatLayout({ chat_template: listTemplate }, "<image>", "text")).toEqual({
      content: "parts",
      tokenizerConfig: null,
    });
    expect(chatLayout({ chat_template: textTemplate }, "<image>", "parts").content).toBe("text");
    expect(chatLayout({ chat_template: textTemplate }, "<image>", "parts").tokenizerConfig).toBeNull();
  });

  it.each([
    ["no template", {}],
    ["a template that cannot be used", { chat_template: "{% for %}" }],
    ["a template that loses images", { chat_template: "{{ messages[0].role }}" }],
  ])("is ChatML for %s", (_, config) => {
    const { content, tokenizerConfig } = chatLayout({ eos_token: "</s>", ...config }, "<image>", "parts");
    expect(content).toBe("text");
    const { chat_template: source } = tokenizerConfig as { chat_template: string };
    const rendered = new ChatTemplate(source, {}).render([{ role: "user", content: "<image>\nWhy?" }]);
    expect(rendered).toBe("<|im_start|>user\n<image>\nWhy?<|im_end|>\n<|im_start|>assistant\n");
    expect(tokenizerConfig).toMatchObject({ eos_token: "</s>" });
  });
});
