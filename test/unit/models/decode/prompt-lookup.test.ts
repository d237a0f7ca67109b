import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { generate } from "../../../../models/decode/generate.ts";
import { PromptLookup } from "../../../../models/decode/prompt-lookup.ts";
import { createSampler, type Sampler } from "../../../../models/decode/sampler.ts";
import type { ForwardRequest, LanguageModel } from "../../../../models/runtime/backend.ts";
import { type PromptPart, promptLength, PromptReader } from "../../../../models/runtime/prompt-reader.ts";
import { normals, tiny } from "../tiny-decoder.ts";
import { openLanguage } from "../open-language.ts";
import { largestDifference, never, openTinyModel, runtimes } from "../tiny-model.ts";

const base = fileURLToPath(new URL("../../../../models/packs/smollm2-135m-instruct", import.meta.url));

describe("guesses", () => {
  test("are what followed the last tokens when they stood before, the nearest of several places", () => {
    const lookup = new PromptLookup([1, 2, 3, 4, 5, 6, 1, 2, 3, 9, 8, 7]);
    for (const id of [1, 2]) lookup.push(id);
    expect(lookup.guess(8)).toEqual([]);
    lookup.push(3);
    expect(lookup.guess(8)).toEqual([9, 8]);
    expect(lookup.guess(1)).toEqual([9]);
    lookup.push(4);
    // Four that agree come before three, although [2, 3, 4] stood nowhere later.
    expect(lookup.guess(8)).toEqual([5, 6]);
  });

  test("do not reach into or across an image", () => {
    const lookup = new PromptLookup([5, 6, 7, NaN, NaN, 8, 5, 6]);
    lookup.push(7);
    expect(lookup.guess(8)).toEqual([]);
    const around = new PromptLookup([1, NaN, 2, 3, 4, 1]);
    for (const id of [2, 3]) around.push(id);
    expect(around.guess(8)).toEqual([]);
  });

  test("grow while they are right and stop for good where they are wrong", () => {
    const lookup = new PromptLookup(Array.from({ length: 60 }, (_, i) => i % 20));
    const lengths = [0, 1, 2].map(() => {
      const { length } = lookup.guess(99);
      lookup.judge(length, length);
      return length;
    });
    expect(lengths).toEqual([2, 4, 8]);
    while (lookup.isActive) lookup.judge(2, 0);
    expect(lookup.counts.right / lookup.counts.guessed).toBeLessThan(0.3);
    expect(lookup.guess(99)).toEqual([]);
  });
});

interface Said {
  readonly ids: number[];
  readonly stop: string;
  /** Tokens of each run after the prompt. */
  readonly runs: number[];
}

interface Asked {
  readonly prompt: readonly PromptPart[];
  readonly sampler: () => Sampler;
  readonly maxTokens: number;
  readonly stopIds?: ReadonlySet<number>;
}

async function say(model: LanguageModel, asked: Asked, lookup: boolean): Promise<Said> {
  const runs: number[] = [];
  const watched = new Proxy(model, {
    get(target, property) {
      if (property === "forward") {
        return (request: ForwardRequest, signal: AbortSignal) => {
          runs.push(request.embeddings.length / target.hidden);
          return target.forward(request, signal);
        };
      }
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const reader = new PromptReader(watched);
  const { prompt, sampler, maxTokens, stopIds = new Set<number>() } = asked;
  const ids: number[] = [];
  let stop = "";
  const request = { prompt, sampler: sampler(), stopIds, maxTokens, lookup };
  for await (const event of generate(reader, request, never)) {
    if (event.type === "token") ids.push(event.id);
    if (event.type === "stop") stop = event.reason;
  }
  await reader.dispose();
  return { ids, stop, runs: runs.slice(1) };
}

const greedy = () => createSampler({ temperature: 0, topP: 1, seed: 0 });

describe.each(runtimes)("an answer with guessed tokens, through $name", ({ open }) => {
  let model: LanguageModel;
  beforeAll(async () => {
    model = await openTinyModel(await open());
  });
  afterAll(() => model.dispose());

  const image = {
    tokens: 9,
    hidden: tiny.hidden,
    values: Float32Array.from({ length: 9 * tiny.hidden }, normals(5)),
  };
  const phrase = [11, 12, 13, 14, 15, 16, 17, 18];
  const prompt: PromptPart[] = [
    { type: "text", ids: [1, ...phrase] },
    { type: "image", image },
    { type: "text", ids: [9, ...phrase, 10, ...phrase.slice(0, 4)] },
  ];

  test.each([
    { temperature: 0, topP: 1, seed: 0 },
    { temperature: 0.3, topP: 1, seed: 1 },
    { temperature: 0.3, topP: 0.9, seed: 2 },
    { temperature: 0.5, topP: 0.8, seed: 3 },
  ])("is the one that is said token by token: %j", async (sampling) => {
    const asked = { prompt, sampler: () => createSampler(sampling), maxTokens: 80 };
    const plain = await say(model, asked, false);
    const guessed = await say(model, asked, true);
    expect(guessed.ids).toEqual(plain.ids);
    expect(guessed.stop).toBe(plain.stop);
    expect(plain.runs.every((tokens) => tokens === 1)).toBe(true);
    expect(guessed.runs.some((tokens) => tokens > 1)).toBe(true);
  });

  test("takes fewer runs where it says again what stands there", async () => {
    const script = [...phrase.slice(4), 10, ...phrase, 9, ...phrase, 10, ...phrase];
    const sampler = () => {
      let at = 0;
      return () => script[at++]!;
    };
    const guessed = await say(model, { prompt, sampler, maxTokens: script.length }, true);
    expect(guessed.ids).toEqual(script);
    // The first run comes with the prompt; 9 behind the phrase stands nowhere else.
    expect(guessed.runs.length).toBeLessThan(12);
    expect(Math.max(...guessed.runs)).toBe(9);
  });

  test("ends at its limit, at a stop token among the guessed ones and at the end of the context", async () => {
    const free = await say(model, { prompt, sampler: greedy, maxTokens: 120 }, false);
    const { length } = (await say(model, { prompt, sampler: greedy, maxTokens: 31 }, true)).ids;
    expect(length).toBe(31);
    const at = free.ids.findLastIndex((id, i) => free.ids.indexOf(id) === i);
    const stopIds = new Set([free.ids[at]!]);
    expect(await say(model, { prompt, sampler: greedy, maxTokens: 120, stopIds }, true)).toMatchObject({
      ids: free.ids.slice(0, at),
      stop: "end",
    });
    const room = tiny.context - promptLength(prompt);
    expect((await say(model, { prompt, sampler: greedy, maxTokens: room }, true)).ids).toHaveLength(room);
  });

  test("leaves the reader as token by token does: the next prompt reads the same", async () => {
    const reader = new PromptReader(model);
    const request = { prompt, sampler: greedy(), stopIds: new Set<number>(), maxTokens: 77 };
    for await (const event of generate(reader, { ...request, lookup: true }, never)) void event;
    const parts: PromptPart[] = [...prompt.slice(0, 2), { type: "text", ids: [9, 30, 31] }];
    const { reused, logits } = await reader.read({ parts, rows: [20] }, never);
    const cold = new PromptReader(model);
    expect(reused).toBe(19);
    expect(largestDifference(logits, (await cold.read({ parts, rows: [20] }, never)).logits)).toBeLessThan(
      1e-5,
    );
    await reader.dispose();
    await cold.dispose();
  });
});

/**
 * Its kernels for one row and for several round differently (docs/decisions/model-runtime.md), so the answers may part
 * where two tokens are nearly as likely: by less than that difference, and nowhere else.
 */
describe.skipIf(!existsSync(base))("an answer of the embedded language model with guessed tokens", () => {
  test("is the one that is said token by token, up to the rounding of its kernels", async () => {
    const { model, tokenizer } = await openLanguage(base);
    const sentence = "There is a transverse fracture of the distal radius with dorsal angulation. ";
    const ids = tokenizer.encode(`${sentence}No other fracture is seen. ${sentence}No other`);
    const asked = { prompt: [{ type: "text", ids } as const], sampler: greedy, maxTokens: 32 };
    const plain = await say(model, asked, false);
    const guessed = await say(model, asked, true);
    expect(guessed.runs.length).toBeLessThan(plain.runs.length);
    const parts = guessed.ids.findIndex((id, at) => id !== plain.ids[at]);
    if (parts >= 0) {
      const reader = new PromptReader(model);
      const read: PromptPart[] = [{ type: "text", ids: [...ids, ...plain.ids.slice(0, parts)] }];
      const { logits } = await reader.read({ parts: read, rows: [ids.length + parts - 1] }, never);
      expect(Math.abs(logits[guessed.ids[parts]!]! - logits[plain.ids[parts]!]!)).toBeLessThan(0.6);
      await reader.dispose();
    }
    await model.dispose();
  });
});
