import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { bytesSource } from "../../../../models/import/byte-source.ts";
import type { GgufValue } from "../../../../models/import/gguf-header.ts";
import { readGguf } from "../../../../models/import/gguf-reader.ts";
import { ggufTokenizer } from "../../../../models/import/gguf-tokenizer.ts";
import { TextTokenizer } from "../../../../models/text/tokenizer.ts";
import { fixtures } from "./imported-language.ts";

/** test/fixtures/models/make-gguf-tokenizer-fixtures.py and tokens-of-llama-cpp.mjs. */
interface Entry {
  readonly text: string;
  /** By the tokenizer that the vocabulary was trained with; null: it has no rule for special tokens in a text. */
  readonly ids: readonly number[] | null;
  readonly llamaCpp: readonly number[];
}

const folder = path.join(fixtures, "gguf-tokenizers");
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".gguf"))
  .map((file) => file.replace(/\.gguf$/, ""));

async function metadataOf(name: string): Promise<ReadonlyMap<string, GgufValue>> {
  const bytes = new Uint8Array(readFileSync(path.join(folder, `${name}.gguf`)));
  return (await readGguf(bytesSource(bytes))).metadata;
}

describe.each(names)("the tokenizer of the GGUF file %s", (name) => {
  const { texts } = JSON.parse(readFileSync(path.join(folder, `${name}.json`), "utf8")) as {
    readonly texts: readonly Entry[];
  };
  let tokenizer: TextTokenizer;

  beforeAll(async () => {
    const { json, config } = ggufTokenizer(await metadataOf(name));
    tokenizer = new TextTokenizer(json, config);
  });

  it.each(texts.filter(({ ids }) => ids !== null))(
    "gives the tokens it was trained to give of $text",
    (one) => {
      expect(tokenizer.encode(one.text)).toEqual(one.ids);
    },
  );

  it.each(texts)("gives llama.cpp's tokens of $text", ({ text, llamaCpp }) => {
    expect(tokenizer.encode(text)).toEqual(llamaCpp);
  });

  it("gives a text back", () => {
    for (const { text } of texts.filter((one) => !one.text.includes("<"))) {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text.normalize());
    }
  });
});

describe("a SentencePiece tokenizer in GGUF", () => {
  const changed = async (key: string, value: GgufValue | null) => {
    const metadata = new Map(await metadataOf("sentencepiece"));
    if (value === null) metadata.delete(`tokenizer.ggml.${key}`);
    else metadata.set(`tokenizer.ggml.${key}`, value);
    return metadata;
  };

  it("asks for the first token where the file does, and for the last", async () => {
    const both = ggufTokenizer(await changed("add_eos_token", true)).json as { post_processor: object };
    expect(both.post_processor).toMatchObject({
      single: [{ SpecialToken: { id: "<s>" } }, { Sequence: { id: "A" } }, { SpecialToken: { id: "</s>" } }],
      special_tokens: { "<s>": { ids: [1] }, "</s>": { ids: [2] } },
    });
    const none = ggufTokenizer(await changed("add_bos_token", false)).json as { post_processor: null };
    expect(none.post_processor).toBeNull();
  });

  it("takes llama.cpp's ids where the file names no tokens", async () => {
    expect(ggufTokenizer(await changed("eos_token_id", null)).config).toMatchObject({ eos_token: "</s>" });
  });

  it.each<[string, string, GgufValue | null]>([
    ["no scores", "scores", null],
    ["fewer scores than tokens", "scores", [0]],
    ["scores that are no numbers", "scores", Array.from({ length: 640 }, () => Number.NaN)],
    ["an end token beyond the vocabulary", "eos_token_id", 640],
  ])("is damaged with %s", async (_, key, value) => {
    const metadata = await changed(key, value);
    expect(() => ggufTokenizer(metadata)).toThrow(expect.objectContaining({ code: "model-file-damaged" }));
  });

  it("is damaged with a piece that would take for ever to take apart", async () => {
    const tokens = [
      ...((await metadataOf("sentencepiece")).get("tokenizer.ggml.tokens") as readonly string[]),
    ];
    tokens[600] = "a".repeat(100_000);
    const metadata = await changed("tokens", tokens);
    expect(() => ggufTokenizer(metadata)).toThrow(expect.objectContaining({ code: "model-file-damaged" }));
  });

  it.each<[string, string, GgufValue | null]>([
    ["of an unknown kind", "model", "t5"],
    ["with a rule that nobody named", "pre", null],
    ["with an unknown rule", "pre", "superb"],
  ])("a tokenizer %s is refused by name", async (_, key, value) => {
    const metadata = new Map(await metadataOf("gpt-2"));
    if (value === null) metadata.delete(`tokenizer.ggml.${key}`);
    else metadata.set(`tokenizer.ggml.${key}`, value);
    expect(() => ggufTokenizer(metadata)).toThrow(expect.objectContaining({ code: "not-supported" }));
  });
});
