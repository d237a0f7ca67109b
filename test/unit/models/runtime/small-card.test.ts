import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { appError } from "../../../../core/errors.ts";
import type { Answer, AnswerEvent, Question, Sentence } from "../../../../core/question.ts";
import { answer } from "../../../../models/answer.ts";
import { openPack } from "../../../../models/open-pack.ts";
import { findPacks } from "../../../../models/pack/read-pack.ts";
import type { LanguageModel } from "../../../../models/runtime/backend.ts";
import { SpareLanguageModel } from "../../../../models/runtime/spare-models.ts";
import type { SessionOptions } from "../../../../models/runtime/engine.ts";
import type { Runtime } from "../../../../models/runtime/runtime.ts";
import { limitCard, smallCard, smallCardRuntime } from "../small-card.ts";
import { tiny } from "../tiny-decoder.ts";
import { cpu, largestDifference, never, tinySource } from "../tiny-model.ts";
import { packsOf, tinyRequest } from "../tiny-pack.ts";
import { writeTinyPack } from "../tiny-pack-folder.ts";

/** Enough for the tiny decoder and for a prompt of some tokens, not for one of hundreds. */
const cardBytes = 320 * 1024;

const onCard = { provider: smallCard, threads: 2 };
const ids = (count: number) => Array.from({ length: count }, (_, i) => (i * 13 + 5) % tiny.vocabulary);

let runtime: Runtime;
let folder: string;
beforeAll(async () => {
  limitCard(cardBytes);
  runtime = await smallCardRuntime();
  folder = await mkdtemp(path.join(tmpdir(), "meditron-card-"));
  await writeTinyPack(path.join(folder, "tiny-one"));
});
afterAll(() => rm(folder, { recursive: true }));

test("the card runs a short prompt and has no memory for a long one", async () => {
  const model = await runtime.openLanguage(tinySource, onCard);
  const cache = model.createCache();
  await model.forward({ cache, embeddings: await model.embed(ids(8), never), rows: [7] }, never);
  const embeddings = await model.embed(ids(250), never);
  await expect(model.forward({ cache, embeddings, rows: [249] }, never)).rejects.toMatchObject({
    code: "out-of-memory",
  });
  expect(cache.length).toBe(8);
  await cache.dispose();
  await model.dispose();
});

describe("a language model whose card has too little memory", () => {
  const open = async (moved: () => void): Promise<LanguageModel> =>
    new SpareLanguageModel(await runtime.openLanguage(tinySource, onCard), {
      openOnCpu: () => runtime.openLanguage(tinySource, cpu),
      moved,
    });

  test("goes on on the processor with all that was read before", async () => {
    let moves = 0;
    const model = await open(() => (moves += 1));
    const cache = model.createCache();
    const other = model.createCache();
    const reference = await runtime.openLanguage(tinySource, cpu);
    const expected = reference.createCache();
    const read = async (count: number, images: { first: number; end: number }[] = []) => {
      const embeddings = await model.embed(ids(count), never);
      const rows = [count - 1];
      const found = await model.forward({ cache, embeddings, rows, images }, never);
      const right = await reference.forward({ cache: expected, embeddings, rows, images }, never);
      expect(largestDifference(found, right)).toBeLessThan(1e-4);
      expect(cache.length).toBe(expected.length);
    };
    await read(9, [{ first: 2, end: 5 }]);
    await read(1);
    // What was forgotten again is not read again.
    await read(6);
    for (const one of [cache, expected]) one.truncate(11);
    const aside = await model.embed(ids(5), never);
    await model.forward({ cache: other, embeddings: aside, rows: [4] }, never);
    expect(moves).toBe(0);
    await read(250);
    expect(moves).toBe(1);
    expect(cache.length).toBe(261);
    await read(1);
    // The other conversation is kept as well.
    expect(other.length).toBe(5);
    const step = await model.embed(ids(1), never);
    const found = await model.forward({ cache: other, embeddings: step, rows: [0] }, never);
    expected.truncate(0);
    await reference.forward({ cache: expected, embeddings: aside, rows: [4] }, never);
    const right = await reference.forward({ cache: expected, embeddings: step, rows: [0] }, never);
    expect(largestDifference(found, right)).toBeLessThan(1e-4);
    expect(moves).toBe(1);
    for (const one of [cache, other, expected]) await one.dispose();
    for (const one of [model, reference]) await one.dispose();
  });

  test("calls that wait for one another all go on", async () => {
    const model = await open(() => undefined);
    const embeddings = await model.embed(ids(250), never);
    const caches = [1, 2, 3].map(() => model.createCache());
    const all = await Promise.all(
      caches.map((cache) => model.forward({ cache, embeddings, rows: [249] }, never)),
    );
    expect(all[1]).toEqual(all[0]);
    expect(all[2]).toEqual(all[0]);
    for (const cache of caches) await cache.dispose();
    await model.dispose();
  });

  test("gives away what it read once it is on the processor, to conversations that begin or wait there", async () => {
    const model = await open(() => undefined);
    const [cache, waiting] = [model.createCache(), model.createCache()];
    const beginning = await model.embed(ids(20), never);
    await model.forward({ cache: waiting, embeddings: beginning, rows: [] }, never);
    expect(waiting.copy(0, 10)).toBeNull();
    const embeddings = await model.embed(ids(250), never);
    await model.forward({ cache, embeddings, rows: [] }, never);

    const fresh = model.createCache();
    fresh.append(cache.copy(0, 100)!);
    expect(fresh.length).toBe(100);
    fresh.truncate(60);
    waiting.truncate(12);
    waiting.append(cache.copy(12, 60)!);
    const expected = model.createCache();
    await model.forward({ cache: expected, embeddings: await model.embed(ids(60), never), rows: [] }, never);
    const next = await model.embed([7, 11], never);
    const right = await model.forward({ cache: expected, embeddings: next, rows: [0, 1] }, never);
    for (const one of [fresh, waiting]) {
      expect(one.length).toBe(60);
      const found = await model.forward({ cache: one, embeddings: next, rows: [0, 1] }, never);
      expect(largestDifference(found, right)).toBeLessThan(1e-4);
      expect(one.length).toBe(62);
    }
    for (const one of [cache, waiting, fresh, expected]) await one.dispose();
    await model.dispose();
  });

  test("a stop while it is read again loses nothing", async () => {
    const controller = new AbortController();
    const model = await open(() => controller.abort());
    const cache = model.createCache();
    await model.forward({ cache, embeddings: await model.embed(ids(9), never), rows: [8] }, never);
    const embeddings = await model.embed(ids(250), never);
    const stopped = model.forward({ cache, embeddings, rows: [249] }, controller.signal);
    await expect(stopped).rejects.toMatchObject({ code: "cancelled" });
    expect(cache.length).toBe(9);
    const again = await model.forward({ cache, embeddings, rows: [249] }, never);
    expect(again).toHaveLength(tiny.vocabulary);
    expect(cache.length).toBe(259);
    await cache.dispose();
    await model.dispose();
  });
});

describe("a pack on a card with too little memory", () => {
  const chosen = (given: Runtime) => ({ name: "small-card", ...onCard, runtime: given });
  interface Asked {
    readonly provider?: { readonly name: string; readonly provider: null };
    readonly question?: Partial<Question>;
    readonly told?: (event: AnswerEvent) => void;
  }
  async function asked(given: Runtime, options: Asked = {}): Promise<Answer> {
    const { provider = {}, question = { seed: 4, temperature: 1 }, told } = options;
    const [installed] = await findPacks([folder], never);
    const pack = await openPack(installed!, { ...chosen(given), ...provider }, never);
    try {
      for await (const event of answer(packsOf(pack), tinyRequest(question), never)) {
        told?.(event);
        if (event.type === "done") return event.answer;
      }
      throw new Error("no answer");
    } finally {
      await pack.dispose();
    }
  }
  const onProcessor = { name: "cpu", ...cpu };

  test("answers as the processor does, says so, and names what it ran on", async () => {
    const opened: string[] = [];
    const found = await asked(await smallCardRuntime(opened));
    expect(opened).toContain("language on small-card");
    expect(opened).toContain("language on cpu");
    const right = await asked(runtime, { provider: onProcessor });
    expect(found.answer).toEqual(right.answer);
    expect(found.provider).toBe("cpu");
    expect(found.warnings.join()).toContain("too little memory for the model");
    expect(right.warnings.join()).not.toContain("memory");
  });

  const question = { choices: ["yes", "no"], ground: true, groundBudgetSeconds: 3600 };
  const numbersOf = ({ answer: { sentences } }: Answer): number[] => {
    const [{ probability, reliance, maps }] = sentences as [Sentence];
    return [probability!, reliance!.nats, reliance!.alone_nats, ...maps.flatMap(({ values }) => values)];
  };

  test.each([["language"], ["vision"], ["language", "vision"]] as const)(
    "that fails in the middle of the evidence has all of it measured again (%s %s)",
    async (...parts) => {
      const card = slantedCard(runtime, {});
      let before = { ...card.calls };
      const told = (event: AnswerEvent) => {
        if (event.type === "evidence" && event.sentence.maps.length === 0) before = { ...card.calls };
      };
      const slanted = await asked(card, { question, told });
      expect(card.calls.language).toBeGreaterThan(before.language + 2);
      expect(card.calls.vision).toBeGreaterThan(before.vision + 2);
      expect(slanted.warnings.join()).not.toContain("memory");

      const limits = (of: (part: (typeof parts)[number]) => number) =>
        Object.fromEntries(parts.map((part) => [part, of(part)]));
      // As where these parts had left the card before the first image was read.
      const right = await asked(
        slantedCard(
          runtime,
          limits(() => 0),
        ),
        { question },
      );
      expect(largestDifference(numbersOf(slanted), numbersOf(right))).toBeGreaterThan(1e-4);
      const found = await asked(
        slantedCard(
          runtime,
          limits((part) => before[part] + 2),
        ),
        { question },
      );
      expect(largestDifference(numbersOf(found), numbersOf(right))).toBeLessThan(1e-5);
      expect(found.answer.text).toBe(right.answer.text);
      expect(found.warnings.join()).toContain("measured again from its beginning");
      expect(found.warnings.filter((warning) => warning.includes("too little memory for"))).toHaveLength(
        parts.length,
      );
    },
  );
});

/** Calls after which a part has no memory left; absent: there is always enough. */
interface CardLimits {
  readonly language?: number;
  readonly vision?: number;
}

/** A card whose numbers are not quite those of the processor. */
function slantedCard(given: Runtime, limits: CardLimits): Runtime & { readonly calls: Required<CardLimits> } {
  const calls = { language: 0, vision: 0 };
  const slanted = async (part: keyof CardLimits, compute: () => Promise<Float32Array>) => {
    if (calls[part] >= (limits[part] ?? Infinity)) throw appError("out-of-memory", "The card is full.");
    calls[part] += 1;
    return (await compute()).map((value) => value * 1.05);
  };
  const onProcessor = (options: SessionOptions) => ({ ...options, provider: null });
  return {
    ...given,
    calls,
    async openLanguage(source, options) {
      const model = await given.openLanguage(source, onProcessor(options));
      if (options.provider === null) return model;
      const { hidden, vocabulary, contextLength } = model;
      return {
        hidden,
        vocabulary,
        contextLength,
        createCache: () => model.createCache(),
        embed: (tokens, signal) => model.embed(tokens, signal),
        forward: (request, signal) => slanted("language", () => model.forward(request, signal)),
        dispose: () => model.dispose(),
      };
    },
    async openVision(source, options) {
      const model = await given.openVision(source, onProcessor(options));
      if (options.provider === null) return model;
      const { tokens, hidden } = model;
      return {
        tokens,
        hidden,
        encode: (pixels, count, signal) => slanted("vision", () => model.encode(pixels, count, signal)),
        dispose: () => model.dispose(),
      };
    },
  };
}
