import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { seededRandom } from "../../../../models/decode/random.ts";
import { scoreContinuations } from "../../../../models/decode/score.ts";
import type { LanguageModel } from "../../../../models/runtime/backend.ts";
import { type PromptPart, PromptReader } from "../../../../models/runtime/prompt-reader.ts";
import { openLanguage } from "../open-language.ts";
import { never, openTinyModel, runtimes } from "../tiny-model.ts";

const base = fileURLToPath(new URL("../../../../models/packs/smollm2-135m-instruct", import.meta.url));
const count = 50;

interface Scored {
  readonly together: number[][];
  readonly alone: number[][];
}

/** The scores of all texts at once, and of each by itself with a reader that has read nothing else than it. */
async function score(
  model: LanguageModel,
  prompt: readonly PromptPart[],
  texts: readonly (readonly number[])[],
): Promise<Scored> {
  const { vocabulary } = model;
  const reader = new PromptReader(model);
  const together = await scoreContinuations(reader, { prompt, continuations: texts, vocabulary }, never);
  await reader.dispose();
  const alone: number[][] = [];
  for (const text of texts) {
    const own = new PromptReader(model);
    const [scores] = await scoreContinuations(own, { prompt, continuations: [text], vocabulary }, never);
    alone.push(scores!);
    await own.dispose();
  }
  return { together, alone };
}

function expectSame({ together, alone }: Scored): void {
  expect(together).toHaveLength(count);
  for (const [index, scores] of alone.entries()) {
    expect(together[index]).toHaveLength(scores.length);
    for (const [at, nats] of scores.entries()) {
      expect(Math.abs(together[index]![at]! - nats)).toBeLessThan(1e-3);
    }
  }
  const total = (scores: readonly number[]) => scores.reduce((sum, nats) => sum + nats, 0);
  const order = (all: readonly number[][]) =>
    all.map((_, index) => index).toSorted((a, b) => total(all[b]!) - total(all[a]!) || a - b);
  expect(order(together)).toEqual(order(alone));
}

describe.each(runtimes)("fifty texts behind one prompt, through $name", ({ open }) => {
  test("score as one by one, within 1e-3 nats and in the same order", async () => {
    const model = await openTinyModel(await open());
    const random = seededRandom(4);
    const id = () => 3 + Math.floor(random() * 8);
    // Few tokens, so that many texts begin alike; one is there twice, one is the beginning of another.
    const texts = Array.from({ length: count - 2 }, () =>
      Array.from({ length: 1 + Math.floor(random() * 7) }, id),
    );
    texts.push([...texts[0]!], texts[1]!.concat([40, 41]));
    const prompt: PromptPart[] = [{ type: "text", ids: [1, 9, 17, 30, 2, 5, 60] }];
    expectSame(await score(model, prompt, texts));
    await model.dispose();
  });
});

describe.skipIf(!existsSync(base))("fifty texts of the embedded language model", { timeout: 240_000 }, () => {
  test("score as one by one, within 1e-3 nats and in the same order", async () => {
    const { model, tokenizer } = await openLanguage(base);
    const [sides, places] = [
      ["left", "right"],
      ["hand", "wrist", "foot", "hip", "knee"],
    ];
    const findings = ["There is a fracture of the", "No fracture of the", "There is a mass in the"];
    const more = ["Swelling near the", "A foreign body in the"];
    const texts = [...findings, ...more].flatMap((finding) =>
      sides!.flatMap((side) => places!.map((place) => tokenizer.encode(`${finding} ${side} ${place}.`))),
    );
    const ids = tokenizer.encode("Modality: CR.\nWhat is seen?\n");
    expectSame(await score(model, [{ type: "text", ids }], texts));
    await model.dispose();
  });
});
