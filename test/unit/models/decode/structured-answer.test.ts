import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, answerSchema, type Question } from "../../../../core/question.ts";
import { answer } from "../../../../models/answer.ts";
import type { LoadedPack } from "../../../../models/loaded-pack.ts";
import { openTinyPack, packsOf, tinyRequest } from "../tiny-pack.ts";
import { never } from "../tiny-model.ts";
import { isValid } from "./is-valid.ts";

const schema = {
  type: "object",
  properties: {
    finding: { type: "string", maxLength: 24 },
    side: { enum: ["left", "right"] },
    size_mm: { type: "number", minimum: 0, maximum: 99 },
    marks: { type: "array", items: { type: "boolean" }, maxItems: 2 },
  },
  required: ["finding", "side", "size_mm", "marks"],
};

let pack: LoadedPack;
beforeAll(async () => {
  pack = await openTinyPack();
});
afterAll(() => pack.dispose());

async function ask(question: Partial<Question>): Promise<{ answer: Answer; streamed: string }> {
  let streamed = "";
  for await (const event of answer(
    packsOf(pack),
    tinyRequest({ schema, maxTokens: 160, ...question }),
    never,
  )) {
    if (event.type === "token") streamed += event.text;
    if (event.type === "done") return { answer: event.answer, streamed };
  }
  throw new Error("no answer");
}

describe("a question with a schema", () => {
  test.each([0, 1, 2, 3])("is answered with data of it: seed %i", async (seed) => {
    const { answer: found, streamed } = await ask({ temperature: seed === 0 ? 0 : 1, seed });
    expect(isValid(schema, found.answer.structured), found.answer.text).toBe(true);
    expect(JSON.parse(found.answer.text)).toEqual(found.answer.structured);
    expect(streamed).toBe(found.answer.text);
    expect(found.answer.stop).toBe("end");
    expect(v.is(answerSchema, JSON.parse(JSON.stringify(found)))).toBe(true);
  });

  test("is the same for the same seed", async () => {
    const sampled = { temperature: 1, topP: 0.95 };
    const texts: string[] = [];
    for (const seed of [7, 7, 8]) texts.push((await ask({ ...sampled, seed })).answer.answer.text);
    expect(texts[0]).toBe(texts[1]);
    expect(texts[0]).not.toBe(texts[2]);
  });

  test("has no sentences to test, and says so, also where the evidence is wanted", async () => {
    const { answer: found } = await ask({ ground: true });
    expect(found.answer.sentences).toEqual([]);
    expect(found.timing.evaluations).toBe(0);
    expect(found.warnings).toContain("An answer in the form of a schema is not tested against the image.");
  });

  test("tells the model what the data is to have", async () => {
    const plain = await ask({ schema: null, maxTokens: 1 });
    const held = await ask({});
    const line = "\nAnswer in JSON with finding, side, size_mm, marks.";
    expect(held.answer.tokens.prompt - plain.answer.tokens.prompt).toBe(pack.tokenizer.encode(line).length);
  });

  test("is refused by name where it cannot be kept", async () => {
    await expect(ask({ maxTokens: 20 })).rejects.toMatchObject({ code: "bad-input" });
    await expect(ask({ choices: ["yes", "no"] })).rejects.toMatchObject({ code: "bad-input" });
    const pattern = { type: "object", properties: { a: { type: "string", pattern: "x" } } };
    await expect(ask({ schema: pattern })).rejects.toMatchObject({ code: "not-supported" });
  });
});
