import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ChatTemplate } from "../../../../models/text/chat-template.ts";
import { TextTokenizer } from "../../../../models/text/tokenizer.ts";
import { fixtures } from "./imported-language.ts";

const fixture = JSON.parse(readFileSync(path.join(fixtures, "smollm2-tokens.json"), "utf8")) as {
  readonly texts: readonly { readonly text: string; readonly ids: readonly number[] }[];
  readonly chat: { readonly messages: readonly { role: "user"; content: string }[]; readonly prompt: string };
};
const pack = fileURLToPath(new URL("../../../../models/packs/smollm2-135m-instruct", import.meta.url));
const read = (name: string) =>
  JSON.parse(readFileSync(path.join(pack, name), "utf8")) as Record<string, unknown>;
const config = read("tokenizer_config.json");

describe("the tokenizer imported from the embedded model's GGUF", () => {
  const tokenizer = new TextTokenizer(read("tokenizer.json"), config);

  it.each(fixture.texts)("gives HF's tokens of %j", ({ text, ids }) => {
    expect(tokenizer.encode(text)).toEqual(ids);
  });

  it("gives the text back", () => {
    for (const { text } of fixture.texts.filter((one) => !one.text.includes("<"))) {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }
  });

  it("renders a conversation as HF does", () => {
    const template = new ChatTemplate(config["chat_template"] as string, {});
    expect(template.render(fixture.chat.messages)).toBe(fixture.chat.prompt);
  });
});
