import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { bytesSource } from "../../../../models/import/byte-source.ts";
import { readGguf } from "../../../../models/import/gguf-reader.ts";
import { ggufTokenizer } from "../../../../models/import/gguf-tokenizer.ts";
import { tokenBytes } from "../../../../models/text/token-bytes.ts";
import { TokenTrie } from "../../../../models/text/token-trie.ts";
import { TextTokenizer } from "../../../../models/text/tokenizer.ts";
import { fixtures } from "../import/imported-language.ts";
import { tinyTokenizer } from "../tiny-tokenizer.ts";

const base = fileURLToPath(new URL("../../../../models/packs/smollm2-135m-instruct", import.meta.url));
const read = (name: string) => JSON.parse(readFileSync(path.join(base, name), "utf8")) as object;
const folder = path.join(fixtures, "gguf-tokenizers");

async function ofGguf(file: string): Promise<TextTokenizer> {
  const bytes = new Uint8Array(readFileSync(path.join(folder, file)));
  const { json, config } = ggufTokenizer((await readGguf(bytesSource(bytes))).metadata);
  return new TextTokenizer(json, config);
}

const tokenizers = [
  { name: "bytes", open: async () => tinyTokenizer() },
  {
    name: "the embedded pack",
    open: async () => new TextTokenizer(read("tokenizer.json"), read("tokenizer_config.json")),
  },
  ...readdirSync(folder)
    .filter((file) => file.endsWith(".gguf"))
    .map((file) => ({ name: file, open: () => ofGguf(file) })),
];

const texts = [
  "No fracture.",
  "Größe 3,5 cm — 骨折 🩻\n\ttwo  blanks",
  '{"finding": "naïve", "size_mm": 12.5}',
];

describe.each(tokenizers)("the bytes of tokens of $name", ({ open }) => {
  test("put together are the text, also where a token ends inside a character", async () => {
    const tokenizer = await open();
    const { bytes } = tokenizer.trie;
    for (const text of texts) {
      const ids = tokenizer.encode(text);
      const joined = Buffer.concat(ids.map((id) => bytes[id]!)).toString();
      expect(tokenizer.dropsFirstBlank ? joined.replace(/^ /, "") : joined).toBe(text.normalize());
    }
  });

  test("are what the decoder writes for them", async () => {
    const tokenizer = await open();
    const anchor = tokenizer.encode("a").at(-1)!;
    const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    let compared = 0;
    for (const [id, own] of tokenizer.trie.bytes.entries()) {
      if (own === null || own.every((byte) => byte < 0x80) === false) continue;
      expect(tokenizer.decode([anchor, id]).slice(tokenizer.decode([anchor]).length)).toBe(
        strict.decode(own),
      );
      compared += 1;
    }
    expect(compared).toBeGreaterThan(90);
  });

  test("reach every single byte, so that any text can be said", async () => {
    const { bytes } = (await open()).trie;
    const single = new Set(bytes.flatMap((own) => (own?.length === 1 ? [own[0]] : [])));
    for (let byte = 0x20; byte < 0x7f; byte += 1) expect(single.has(byte)).toBe(true);
  });
});

describe("a vocabulary", () => {
  test("has no bytes for special tokens and for ids without a token", () => {
    const bytes = tokenBytes(
      [
        { id: 0, text: "<s>", added: true, special: true },
        { id: 3, text: "Ġa", added: false, special: false },
        { id: 4, text: "é", added: true, special: false },
      ],
      { type: "ByteLevel" },
    );
    expect(bytes.map((own) => own && [...own])).toEqual([null, null, null, [0x20, 0x61], [0xc3, 0xa9]]);
  });

  test("of an unknown kind is refused by name", () => {
    expect(() => tokenBytes([], { type: "WordPiece" })).toThrow(
      expect.objectContaining({ code: "not-supported" }),
    );
  });

  test("is a tree that holds every token once, behind its beginnings", () => {
    const words = ["b", "a", "ab", "abc", "ac", "a", "bcd"].map((word) => new TextEncoder().encode(word));
    const trie = new TokenTrie([null, ...words]);
    const found: string[] = [];
    const begun: number[] = [];
    for (let node = 0; node < trie.byte.length; node += 1) {
      begun.length = trie.depth[node]! - 1;
      begun.push(trie.byte[node]!);
      for (let at = trie.first[node]!; at < trie.first[node + 1]!; at += 1) {
        found.push(`${trie.ids[at]}:${String.fromCharCode(...begun)}`);
      }
    }
    expect(found).toEqual(["2:a", "6:a", "3:ab", "4:abc", "5:ac", "1:b", "7:bcd"]);
    const b = trie.byte.lastIndexOf(0x62);
    expect(trie.next[0]).toBe(b);
  });
});
