import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Answer, Question } from "../../../core/question.ts";
import { answer, groundSaved } from "../../../models/answer.ts";
import type { LoadedPack } from "../../../models/loaded-pack.ts";
import { prepareQuestion } from "../../../models/prepare-question.ts";
import { type PromptPart, PromptReader } from "../../../models/runtime/prompt-reader.ts";
import { largestDifference, never } from "./tiny-model.ts";
import { openTinyPack, packsOf, tinyRequest } from "./tiny-pack.ts";

let pack: LoadedPack;
beforeAll(async () => {
  pack = await openTinyPack();
});
afterAll(() => pack.dispose());

async function ask(question: Partial<Question>, image: number): Promise<Answer> {
  for await (const event of answer(packsOf(pack), tinyRequest(question, image), never)) {
    if (event.type === "done") return event.answer;
  }
  throw new Error("no answer");
}

/** What stands before the question, and the end of the prompt, which is always read. */
function before(prompt: number, question: string): number {
  return prompt - pack.tokenizer.encode(`${question}<|im_end|>\n<|im_start|>assistant\n`).length;
}

describe("a further question about the same image", () => {
  test("reads the question alone, also after the answer was tested with other images", async () => {
    const first = await ask({ choices: ["yes", "no"], ground: true }, 11);
    expect(first.timing.evaluations).toBeGreaterThan(5);
    const question = "What do you see?";
    const second = await ask({ question, ground: true }, 11);
    expect(second.tokens.reused).toBe(before(second.tokens.prompt, question));
    const other = await ask({ question }, 12);
    expect(other.tokens.reused).toBeLessThan(16);
  });

  test("reads the question alone after a saved answer was tested", async () => {
    const saved = await ask({ choices: ["yes", "no"] }, 13);
    const request = tinyRequest({ choices: ["yes", "no"] }, 13);
    await ask({ question: "Any mass?" }, 14);
    for await (const event of groundSaved(packsOf(pack), { request, answer: saved }, never)) void event;
    const question = "What do you see?";
    const second = await ask({ question }, 14);
    expect(second.tokens.reused).toBe(before(second.tokens.prompt, question));
  });

  test("that is read while it is written leaves its end alone to read, and has the same answer", async () => {
    const question = "What do you see in the image?";
    const plain = await ask({ question }, 15);
    await ask({}, 16);
    const written = tinyRequest({ question: question.slice(0, -3) }, 15);
    await prepareQuestion(packsOf(pack), written, never);
    const prepared = await ask({ question }, 15);
    // "ge?" and what closes the turn; the last word that was written may have become part of another token.
    expect(prepared.tokens.prompt - prepared.tokens.reused).toBeLessThanOrEqual(
      prepared.tokens.prompt - before(prepared.tokens.prompt, "age?"),
    );
    expect(prepared.answer.text).toBe(plain.answer.text);
    await prepareQuestion(packsOf(pack), tinyRequest({ question: "Something else" }, 15), never);
    expect((await ask({ question }, 15)).answer.text).toBe(plain.answer.text);
  });

  test("a reader that goes on from another reads the same to the bit", async () => {
    const text = (...ids: number[]): PromptPart => ({ type: "text", ids });
    const [one, copy, cold] = [1, 2, 3].map(() => new PromptReader(pack.language));
    await one!.read({ parts: [text(4, 5, 6, 7, 8, 9)], rows: [5] }, never);
    await one!.step([10], never);
    copy!.goOnFrom(one!);
    const next = { parts: [text(4, 5, 6, 7, 8, 9, 20, 21)], rows: [7] };
    const { reused, logits } = await copy!.read(next, never);
    expect(reused).toBe(6);
    expect(largestDifference(logits, (await cold!.read(next, never)).logits)).toBe(0);
    // What it goes on from is as it was.
    expect((await one!.read(next, never)).reused).toBe(6);
    for (const reader of [one, copy, cold]) await reader!.dispose();
  });
});
