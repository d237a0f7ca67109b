import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { Automaton, dead } from "../../../../models/decode/grammar/automaton.ts";
import { Expressions } from "../../../../models/decode/grammar/expression.ts";
import { jsonTexts } from "../../../../models/decode/grammar/json-schema.ts";
import { seededRandom } from "../../../../models/decode/random.ts";
import { createSampler } from "../../../../models/decode/sampler.ts";
import { schemaFilter } from "../../../../models/decode/structured.ts";
import { TextTokenizer } from "../../../../models/text/tokenizer.ts";
import { tinyTokenizer } from "../tiny-tokenizer.ts";
import { isValid } from "./is-valid.ts";

const base = fileURLToPath(new URL("../../../../models/packs/smollm2-135m-instruct", import.meta.url));
const read = (name: string) => JSON.parse(readFileSync(path.join(base, name), "utf8")) as object;
const tokenizers = [
  { name: "a vocabulary of bytes", tokenizer: tinyTokenizer() },
  {
    name: "the embedded pack's vocabulary",
    tokenizer: new TextTokenizer(read("tokenizer.json"), read("tokenizer_config.json")),
  },
];

const report = {
  type: "object",
  properties: {
    finding: { type: "string", maxLength: 40 },
    side: { enum: ["left", "right", "both", "not stated"] },
    size_mm: { type: "number", minimum: 0.5, maximum: 120 },
    count: { type: "integer", minimum: -2, maximum: 12 },
    seen: { type: "boolean" },
    marks: { type: "array", items: { type: "string", maxLength: 3 }, minItems: 1, maxItems: 3 },
    note: { type: "null" },
    version: { const: 1 },
  },
  required: ["finding", "side", "size_mm", "marks", "version"],
  additionalProperties: false,
} as const;

const never = 2;

/** Says one token after the other from logits of noise. */
function say(
  tokenizer: TextTokenizer,
  { schema, seed, maxTokens }: { schema: Record<string, unknown>; seed: number; maxTokens: number },
): { text: string; tokens: number } {
  const filter = schemaFilter({ schema, tokenizer, stopIds: new Set([never]), maxTokens });
  const random = seededRandom(seed);
  const sampler = createSampler({ temperature: 1, topP: 1, seed });
  const logits = Float32Array.from({ length: tokenizer.trie.bytes.length }, () => 6 * random());
  const ids: number[] = [];
  while (!filter.hasEnded && ids.length < maxTokens) {
    const id = sampler(filter.filter(logits, maxTokens - ids.length));
    if (id === never) break;
    filter.push(id);
    ids.push(id);
  }
  return { text: tokenizer.decode(ids), tokens: ids.length };
}

const accepts = (schema: Record<string, unknown>, text: string) => {
  const make = new Expressions();
  const automaton = new Automaton(make, jsonTexts(make, schema));
  let state = automaton.start;
  for (const byte of new TextEncoder().encode(text)) state = automaton.step(state, byte);
  return state !== dead && automaton.accepts(state);
};

describe.each(tokenizers)("an answer held to a schema, with $name", ({ tokenizer }) => {
  test("is JSON of the schema, whatever the model wants to say", () => {
    for (let seed = 1; seed <= 6; seed += 1) {
      const { text } = say(tokenizer, { schema: report, seed, maxTokens: 400 });
      expect(isValid(report, JSON.parse(text)), text).toBe(true);
      expect(Object.keys(JSON.parse(text) as object)).toEqual(
        Object.keys(report.properties).filter((name) => name in (JSON.parse(text) as object)),
      );
    }
  });

  test("is whole also where just enough tokens are left, and never longer than that", () => {
    const { least } = schemaFilter({ schema: report, tokenizer, stopIds: new Set([never]), maxTokens: 400 });
    for (const [seed, more] of [0, 1, 2, 7, 20].entries()) {
      const maxTokens = least + more;
      const { text, tokens } = say(tokenizer, { schema: report, seed, maxTokens });
      expect(tokens).toBeLessThanOrEqual(maxTokens);
      expect(isValid(report, JSON.parse(text)), text).toBe(true);
    }
    expect(() =>
      schemaFilter({ schema: report, tokenizer, stopIds: new Set([never]), maxTokens: least - 1 }),
    ).toThrow(expect.objectContaining({ code: "bad-input" }));
  });

  test("a text of the schema can be said in every segmentation into tokens", () => {
    const text =
      '{"finding": "Fraktur, 3. Os metacarpale — 骨折 🩻\\n","side":"left", "size_mm": 12.5,"count":-2,"marks":["é🩻","", "\\""],"version": 1}';
    expect(isValid(report, JSON.parse(text))).toBe(true);
    const bytes = new TextEncoder().encode(text);
    const byText = new Map(
      tokenizer.trie.bytes.flatMap((one, id) => (one ? [[Buffer.from(one).toString("latin1"), id]] : [])),
    ) as Map<string, number>;
    const random = seededRandom(5);
    for (let round = 0; round < 5; round += 1) {
      const filter = schemaFilter({ schema: report, tokenizer, stopIds: new Set([never]), maxTokens: 400 });
      const logits = new Float32Array(tokenizer.trie.bytes.length).fill(1);
      for (let at = 0; at < bytes.length;) {
        const lengths = Array.from({ length: 8 }, (_, i) => i + 1).filter((length) =>
          byText.has(Buffer.from(bytes.subarray(at, at + length)).toString("latin1")),
        );
        const length = lengths[Math.floor(random() * lengths.length)]!;
        const id = byText.get(Buffer.from(bytes.subarray(at, at + length)).toString("latin1"))!;
        expect(filter.filter(logits, 300)[id]).toBe(1);
        filter.push(id);
        at += length;
      }
      expect(filter.hasEnded).toBe(true);
    }
  });

  test("may hold exactly the tokens whose bytes go on", () => {
    const make = new Expressions();
    const automaton = new Automaton(make, jsonTexts(make, report));
    const filter = schemaFilter({ schema: report, tokenizer, stopIds: new Set([never]), maxTokens: 400 });
    const logits = new Float32Array(tokenizer.trie.bytes.length).fill(1);
    let state = automaton.start;
    for (const piece of [
      "",
      '{"',
      "finding",
      '": "',
      "ab",
      "é".slice(0, 1),
      '", "side":',
      ' "not',
      ' stated","size_mm":1',
    ]) {
      for (const byte of new TextEncoder().encode(piece)) state = automaton.step(state, byte);
      for (const id of tokenizer.encode(piece)) filter.push(id);
      const allowed = filter.filter(logits, 300);
      const wrong = tokenizer.trie.bytes.flatMap((bytes, id) => {
        let reached = bytes === null || bytes.length === 0 ? dead : state;
        for (const byte of bytes ?? []) reached = automaton.step(reached, byte);
        return (reached !== dead) === (allowed[id] === 1) ? [] : [id];
      });
      expect(wrong).toEqual([]);
    }
  });

  test("is the same for the same seed and another for another", () => {
    const one = (seed: number) => say(tokenizer, { schema: report, seed, maxTokens: 200 }).text;
    expect(one(3)).toBe(one(3));
    expect(one(3)).not.toBe(one(4));
  });
});

describe("the texts of a schema", () => {
  test("count the characters of a string, not its bytes or code units", () => {
    const two = { type: "string", minLength: 1, maxLength: 2 };
    for (const text of ['"a"', '"é🩻"', '"\\n\\""', '"骨折"']) expect(accepts(two, text)).toBe(true);
    for (const text of ['""', '"abc"', '"é🩻x"', '"\n"', '"a', "a", '"\\x"'])
      expect(accepts(two, text)).toBe(false);
  });

  test("leave out optional properties without a stray comma, and keep their order", () => {
    const schema = {
      type: "object",
      properties: { a: { type: "null" }, b: { type: "null" }, c: { type: "null" } },
      required: ["b"],
    };
    for (const text of [
      '{"b":null}',
      '{"a": null, "b": null}',
      '{"b":null,"c":null}',
      '{"a":null,"b":null,"c":null}',
    ]) {
      expect(accepts(schema, text)).toBe(true);
    }
    for (const text of [
      "{}",
      '{"a":null}',
      '{"b":null,"a":null}',
      '{,"b":null}',
      '{"b":null,}',
      '{"b":null}}',
    ]) {
      expect(accepts(schema, text)).toBe(false);
    }
  });

  test("count the items of an array", () => {
    const schema = { type: "array", items: { type: "boolean" }, minItems: 1, maxItems: 2 };
    for (const text of ["[true]", "[true,false]", "[false, true]"]) expect(accepts(schema, text)).toBe(true);
    for (const text of ["[]", "[true,true,true]", "[true,]", "[ true]"])
      expect(accepts(schema, text)).toBe(false);
    expect(accepts({ type: "array", items: { type: "null" } }, "[]")).toBe(true);
    expect(accepts({ type: "array", items: { type: "null" }, maxItems: 0 }, "[null]")).toBe(false);
  });

  test("keep numbers within their bounds, as a double reads them", () => {
    const bounded = [
      { type: "integer", minimum: 3, maximum: 1200 },
      { type: "integer", minimum: -17, exclusiveMaximum: 5 },
      { type: "integer", exclusiveMinimum: 99.5, maximum: 100 },
      { type: "number", minimum: -0.25, maximum: 0.125 },
      { type: "number", exclusiveMinimum: 0, maximum: 1e-9 },
      { type: "number", minimum: 999, exclusiveMaximum: 1000 },
    ];
    const random = seededRandom(9);
    const texts = [
      "0",
      "-0",
      "-0.0",
      "0.0",
      "00",
      "1.",
      ".5",
      "1e3",
      "+1",
      "100",
      "1000",
      "5",
      "-17",
      "-18",
      "0.125",
      "0.1250001",
      "0.000000001",
      "999.999999",
    ];
    for (let i = 0; i < 400; i += 1) {
      const value = (random() - 0.5) * 10 ** Math.floor(random() * 5 - 1);
      texts.push(String(Math.round(value)), value.toFixed(1 + Math.floor(random() * 4)));
    }
    for (const schema of bounded) {
      for (const text of new Set(texts)) {
        const written = /^-?(0|[1-9]\d*)(\.\d+)?$/.test(text) && !/^-0(\.0*)?$/.test(text);
        const expected =
          written && isValid(schema, Number(text)) && (schema.type === "number" || !text.includes("."));
        const precise = (text.split(".")[1]?.length ?? 0) <= 6 || schema.maximum === 1e-9;
        if (precise) expect(accepts(schema, text), `${text} in ${JSON.stringify(schema)}`).toBe(expected);
      }
    }
  });

  test("are those of its constants, nested values among them", () => {
    expect(accepts({ const: { a: [1, "x"] } }, '{"a":[1,"x"]}')).toBe(true);
    expect(accepts({ enum: [1, 12, "no", "no finding"] }, '"no finding"')).toBe(true);
    expect(accepts({ enum: [1, 12] }, "12")).toBe(true);
    expect(accepts({ enum: [1, 12] }, "2")).toBe(false);
    expect(accepts({ type: "string", enum: [1, "one"] }, "1")).toBe(false);
  });

  test.each([
    [{ type: "string", pattern: "a+" }, "pattern"],
    [{ type: "object", properties: { a: { type: "string", format: "date" } } }, "format"],
    [{ anyOf: [{ type: "null" }] }, "anyOf"],
    [{ $ref: "#/$defs/x" }, "$ref"],
    [{ type: ["string", "null"] }, "type"],
    [{ type: "array", items: { type: "null" }, uniqueItems: true }, "uniqueItems"],
    [{ type: "number", multipleOf: 2 }, "multipleOf"],
    [{ type: "object", additionalProperties: { type: "null" } }, "additionalProperties"],
    [{ enum: ["a"], minLength: 1 }, "minLength"],
    [{ type: "object", properties: {}, patternProperties: {} }, "patternProperties"],
  ])("a schema with another keyword is refused by its name: %j", (schema, keyword) => {
    const refused = () =>
      schemaFilter({ schema, tokenizer: tinyTokenizer(), stopIds: new Set(), maxTokens: 99 });
    expect(refused).toThrow(expect.objectContaining({ code: "not-supported" }));
    expect(refused).toThrow(`"${keyword}"`);
  });

  test.each([
    { type: "string", maxLength: -1 },
    { type: "string", minLength: 3, maxLength: 2 },
    { type: "integer", minimum: 0.2, maximum: 0.8 },
    { type: "number", minimum: "1" },
    { type: "array" },
    { type: "object", properties: { a: 3 } },
    { type: "object", properties: {}, required: ["b"] },
    { enum: [] },
    Array.from({ length: 20 }).reduce<Record<string, unknown>>((items) => ({ type: "array", items }), {
      type: "null",
    }),
  ])("a schema that is not valid is refused: %j", (schema) => {
    const refused = () =>
      schemaFilter({ schema, tokenizer: tinyTokenizer(), stopIds: new Set(), maxTokens: 99 });
    expect(refused).toThrow(expect.objectContaining({ code: "bad-input" }));
  });
});
