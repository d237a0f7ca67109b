import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { generate } from "../../../../models/decode/generate.ts";
import { greedy } from "../../../../models/decode/sampler.ts";
import { scoreContinuations } from "../../../../models/decode/score.ts";
import type { ForwardRequest, LanguageModel } from "../../../../models/runtime/backend.ts";
import { KeptImages } from "../../../../models/runtime/kept-images.ts";
import { type ImageTokens, type PromptPart, PromptReader } from "../../../../models/runtime/prompt-reader.ts";
import { normals, tiny } from "../tiny-decoder.ts";
import { largestDifference, never, openTinyModel, runtimes } from "../tiny-model.ts";

function image(seed: number, tokens = 9): ImageTokens {
  const random = normals(seed);
  const values = Float32Array.from({ length: tokens * tiny.hidden }, random);
  return { tokens, hidden: tiny.hidden, values };
}

const text = (...ids: number[]): PromptPart => ({ type: "text", ids });
const about = (seen: ImageTokens): PromptPart[] => [
  text(1, 5),
  { type: "image", image: seen },
  text(8, 9, 10),
];
const { vocabulary } = tiny;

describe.each(runtimes)("through $name", ({ name, open }) => {
  let model: LanguageModel;
  let reader: PromptReader;
  beforeAll(async () => {
    model = await openTinyModel(await open());
    reader = new PromptReader(model);
  });
  afterAll(async () => {
    await reader.dispose();
    await model.dispose();
  });

  describe("scoring given texts", () => {
    const continuations = [
      [11, 12, 13, 14],
      [11, 12, 20],
      [30],
      [11, 12, 13, 40, 41, 42],
      [],
      [31, 32],
      [11, 12, 20],
    ];

    test("all at once is one by one within 1e-3 nats", async () => {
      const prompt = about(image(1));
      const together = await scoreContinuations(reader, { prompt, continuations, vocabulary }, never);
      for (const [index, one] of continuations.entries()) {
        const fresh = new PromptReader(model);
        const [alone] = await scoreContinuations(fresh, { prompt, continuations: [one], vocabulary }, never);
        expect(largestDifference(together[index]!, alone!)).toBeLessThan(1e-3);
        await fresh.dispose();
      }
    });

    test("the probabilities of all next tokens add up to one", async () => {
      const every = Array.from({ length: vocabulary }, (_, id) => [17, id]);
      const scores = await scoreContinuations(
        reader,
        { prompt: about(image(2)), continuations: every, vocabulary },
        never,
      );
      const total = scores.reduce((sum, [, second]) => sum + Math.exp(second!), 0);
      expect(total).toBeCloseTo(1, 5);
      expect(new Set(scores.map(([first]) => first)).size).toBe(1);
    });

    test("another image gives other scores, also after the first one's cache", async () => {
      const score = (seen: ImageTokens) =>
        scoreContinuations(reader, { prompt: about(seen), continuations: [[11, 12]], vocabulary }, never);
      const [first, second] = [image(1), image(2)];
      const one = await score(first);
      const other = await score(second);
      expect(largestDifference(one[0]!, other[0]!)).toBeGreaterThan(1e-3);
      expect(largestDifference((await score(first))[0]!, one[0]!)).toBeLessThan(1e-5);
    });
  });

  /** The model with the number of tokens of each run told. */
  function watched(lengths: number[]): LanguageModel {
    return new Proxy(model, {
      get(target, property) {
        if (property === "forward") {
          return (request: ForwardRequest, signal: AbortSignal) => {
            lengths.push(request.embeddings.length / tiny.hidden);
            return target.forward(request, signal);
          };
        }
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  describe("what scoring reads", () => {
    test("the longest text together with the prompt, single tokens with nothing, the rest in short runs", async () => {
      const lengths: number[] = [];
      const fresh = new PromptReader(watched(lengths));
      const continuations = [[30], [31], [11, 12, 20], [11, 12, 13, 40, 41, 42]];
      await scoreContinuations(fresh, { prompt: about(image(1)), continuations, vocabulary }, never);
      // The prompt has 14 tokens; the last token of a text is only looked up.
      expect(lengths).toEqual([14 + 5]);
      await fresh.dispose();
    });

    // What a thread holds is not copied out of it: there an image is read each time.
    test.runIf(name === "the C interface")(
      "an image that comes again is not read again, and its scores are the same to the bit",
      async () => {
        const lengths: number[] = [];
        const kept = new KeptImages();
        const fresh = new PromptReader(watched(lengths), kept);
        const [known, other] = [image(7), image(8)];
        const asked = (seen: ImageTokens, question: number[]) =>
          scoreContinuations(
            fresh,
            {
              prompt: [text(1, 5), { type: "image", image: seen }, text(...question)],
              continuations: [[11, 12, 13]],
              vocabulary,
              lasting: seen === known,
            },
            never,
          );
        await asked(known, [8, 9, 10]);
        const plain = await asked(other, [8, 9]);
        const again = await asked(known, [20, 21, 22]);
        // Two tokens before the image, nine of it: read once, and not with the other question.
        expect(lengths).toEqual([2 + 9 + 3 + 2, 9 + 2 + 2, 3 + 2]);
        expect(plain).not.toEqual(again);
        const cold = new PromptReader(model);
        const prompt: PromptPart[] = [text(1, 5), { type: "image", image: known }, text(20, 21, 22)];
        expect(
          await scoreContinuations(cold, { prompt, continuations: [[11, 12, 13]], vocabulary }, never),
        ).toEqual(again);

        // Behind another text the image is another thing: it is read.
        lengths.length = 0;
        const elsewhere: PromptPart[] = [text(3, 5), { type: "image", image: known }, text(20, 21, 22)];
        await fresh.read({ parts: elsewhere, rows: [13] }, never);
        expect(lengths).toEqual([14]);
        await fresh.dispose();
        await cold.dispose();
      },
    );

    test("the images used least recently are forgotten when there are too many", () => {
      const part = new Float32Array(6 * 1024 * 1024);
      const kept = new KeptImages();
      const images = [1, 2, 3, 4].map((seed) => image(seed));
      const cached = { from: 1, tokens: 1, parts: [part] };
      for (const one of images.slice(0, 2)) kept.keep(one, { before: [1], cached });
      expect(kept.find(images[0]!, [1])).toBe(cached);
      kept.keep(images[2]!, { before: [1], cached });
      expect(images.map((one) => kept.find(one, [1]) !== null)).toEqual([true, false, true, false]);
    });
  });

  describe("reading a prompt", () => {
    test("what the last prompt began with is not read again", async () => {
      const fresh = new PromptReader(model);
      const seen = image(3);
      const first = await fresh.read({ parts: about(seen), rows: [13] }, never);
      expect(first.reused).toBe(0);
      const followUp = [...about(seen).slice(0, 2), text(22, 23)];
      const second = await fresh.read({ parts: followUp, rows: [12] }, never);
      expect(second.reused).toBe(11);
      expect((await fresh.read({ parts: about(image(4)), rows: [13] }, never)).reused).toBe(2);
      const cold = new PromptReader(model);
      const expected = await cold.read({ parts: followUp, rows: [12] }, never);
      expect(largestDifference(second.logits, expected.logits)).toBeLessThan(1e-4);
      await fresh.dispose();
      await cold.dispose();
    });

    test("never ends in a run over one token, and said tokens are not taken for read ones", async () => {
      const lengths: number[] = [];
      const fresh = new PromptReader(watched(lengths));
      const parts = about(image(3));
      await fresh.read({ parts, rows: [13] }, never);
      await fresh.read({ parts, rows: [13] }, never);
      await fresh.step([40], never);
      const after = await fresh.read({ parts: [...parts, text(40, 41, 42)], rows: [16] }, never);
      expect(lengths).toEqual([14, 2, 1, 3]);
      expect(after.reused).toBe(14);
      await fresh.dispose();
    });

    test("a cancelled read does not spoil the next", async () => {
      const fresh = new PromptReader(model);
      const parts = about(image(5));
      await expect(fresh.read({ parts, rows: [13] }, AbortSignal.abort())).rejects.toMatchObject({
        code: "cancelled",
      });
      const after = await fresh.read({ parts, rows: [13] }, never);
      const cold = new PromptReader(model);
      expect(largestDifference(after.logits, (await cold.read({ parts, rows: [13] }, never)).logits)).toBe(0);
      await fresh.dispose();
      await cold.dispose();
    });
  });

  describe("generating", () => {
    const collect = async (stopIds: ReadonlySet<number>, maxTokens: number) => {
      const events = [];
      const request = { prompt: about(image(6)), sampler: greedy, stopIds, maxTokens };
      for await (const event of generate(reader, request, never)) events.push(event);
      return events;
    };

    test("says the tokens that scoring finds likeliest, up to the limit", async () => {
      const events = await collect(new Set(), 6);
      const ids = events.flatMap((event) => (event.type === "token" ? [event.id] : []));
      expect(ids).toHaveLength(6);
      expect(events.at(-1)).toEqual({ type: "stop", reason: "length" });
      const prompt = about(image(6));
      const every = Array.from({ length: vocabulary }, (_, id) => [...ids.slice(0, 5), id]);
      const scores = await scoreContinuations(reader, { prompt, continuations: every, vocabulary }, never);
      const last = scores.map((score) => score.at(-1)!);
      expect(last.indexOf(Math.max(...last))).toBe(ids[5]);
    });

    test("ends at a stop token and does not say it", async () => {
      const free = await collect(new Set(), 6);
      const ids = free.flatMap((event) => (event.type === "token" ? [event.id] : []));
      const stop = ids.findIndex((id, at) => ids.indexOf(id) === at && at > 0);
      const events = await collect(new Set([ids[stop]!]), 6);
      expect(events.filter(({ type }) => type === "token")).toHaveLength(stop);
      expect(events.at(-1)).toEqual({ type: "stop", reason: "end" });
    });
  });
});
