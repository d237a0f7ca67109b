import { afterAll, beforeAll, expect, test } from "vitest";
import type { LanguageModel } from "../../../../models/runtime/backend.ts";
import { normals, tiny } from "../tiny-decoder.ts";
import { largestDifference, never } from "../tiny-model.ts";

const ids = (count: number) => Array.from({ length: count }, (_, i) => (i * 13 + 5) % tiny.vocabulary);

interface ConformanceOptions {
  readonly tolerance: number;
  readonly stepsFrom?: number;
  readonly stored?: (value: number) => number;
}

/**
 * What every language model with the graphs of `tinySource` must do, whatever runs it. `tolerance`: between one run
 * over a prompt and a run for each of its tokens; the largest logit is about 5. `stepsFrom`: the tokens before it are
 * read together where each run takes long. `stored`: a value of the token embedding as the graphs keep it.
 */
export function languageModelConformance(
  open: () => Promise<LanguageModel>,
  { tolerance, stepsFrom = 0, stored = (value) => value }: ConformanceOptions,
): void {
  let model: LanguageModel;
  beforeAll(async () => {
    model = await open();
  });
  afterAll(() => model.dispose());

  test("reads its sizes from the graph", () => {
    expect(model.hidden).toBe(tiny.hidden);
  });

  test("embeds tokens, and no tokens as nothing", async () => {
    const random = normals(11);
    const table = Float32Array.from({ length: tiny.vocabulary * tiny.hidden }, random).map(stored);
    const [a, b] = [3, 60].map((id) => table.slice(id * tiny.hidden, (id + 1) * tiny.hidden));
    expect(await model.embed([3, 60], never)).toEqual(Float32Array.of(...a!, ...b!));
    expect((await model.embed([], never)).length).toBe(0);
  });

  test("token by token gives the logits of one pass, also where the cache grows and the prompt is cut in chunks", async () => {
    const embeddings = await model.embed(ids(300), never);
    const rows = [0, 200, 255, 256, 299];
    const whole = model.createCache();
    const expected = await model.forward({ cache: whole, embeddings, rows }, never);

    const stepwise = model.createCache();
    const found: number[] = [];
    if (stepsFrom > 0) {
      const together = embeddings.subarray(0, stepsFrom * tiny.hidden);
      const early = rows.filter((row) => row < stepsFrom);
      found.push(...(await model.forward({ cache: stepwise, embeddings: together, rows: early }, never)));
    }
    for (let at = stepsFrom; at < 300; at += 1) {
      const one = embeddings.subarray(at * tiny.hidden, (at + 1) * tiny.hidden);
      const logits = await model.forward({ cache: stepwise, embeddings: one, rows: [0] }, never);
      if (rows.includes(at)) found.push(...logits);
    }
    expect(stepwise.length).toBe(300);
    expect(largestDifference(found, expected)).toBeLessThan(tolerance);
    await whole.dispose();
    await stepwise.dispose();
  });

  test("a cache that forgot its end goes on as if the end had never been", async () => {
    const embeddings = await model.embed(ids(40), never);
    const part = (from: number, to: number) => embeddings.subarray(from * tiny.hidden, to * tiny.hidden);
    const cache = model.createCache();
    await model.forward({ cache, embeddings: part(0, 20), rows: [] }, never);
    const first = await model.forward({ cache, embeddings: part(20, 30), rows: [9] }, never);
    cache.truncate(20);
    await model.forward({ cache, embeddings: part(30, 40), rows: [9] }, never);
    cache.truncate(20);
    expect(cache.length).toBe(20);
    const again = await model.forward({ cache, embeddings: part(20, 30), rows: [9] }, never);
    expect(again).toEqual(first);
    await cache.dispose();
  });

  test("more than the context is refused before anything is read", async () => {
    const cache = model.createCache();
    const embeddings = new Float32Array((tiny.context + 1) * tiny.hidden);
    await expect(model.forward({ cache, embeddings, rows: [] }, never)).rejects.toMatchObject({
      code: "question-too-long",
    });
    expect(cache.length).toBe(0);
    await cache.dispose();
  });

  test("a cancelled prompt leaves the cache as it was", async () => {
    const cache = model.createCache();
    const embeddings = await model.embed(ids(400), never);
    const controller = new AbortController();
    await model.forward({ cache, embeddings: embeddings.subarray(0, 10 * tiny.hidden), rows: [] }, never);
    const stopped = model.forward({ cache, embeddings, rows: [399] }, controller.signal);
    controller.abort();
    await expect(stopped).rejects.toMatchObject({ code: "cancelled" });
    expect(cache.length).toBe(10);
    await cache.dispose();
  });

  test("a cancelled step of an answer leaves the cache as it was, and the next step is the right one", async () => {
    const embeddings = await model.embed(ids(40), never);
    const token = embeddings.subarray(0, tiny.hidden);
    const steps = async (stopFirst: boolean) => {
      const cache = model.createCache();
      await model.forward({ cache, embeddings, rows: [] }, never);
      // Stopped before it begins, and as soon as it has.
      for (const turns of stopFirst ? [0, 1, 2] : []) {
        const controller = new AbortController();
        const stopped = model.forward({ cache, embeddings: token, rows: [0] }, controller.signal);
        for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
        controller.abort();
        const ended = await stopped.then(
          () => "done",
          (thrown: unknown) => (thrown as { code: string }).code,
        );
        // A step may be over before the stop reaches it.
        expect(["cancelled", "done"]).toContain(ended);
        if (turns === 0) expect(ended).toBe("cancelled");
        expect(cache.length).toBe(ended === "done" ? 41 : 40);
        cache.truncate(40);
      }
      const logits = await model.forward({ cache, embeddings: token, rows: [0] }, never);
      await cache.dispose();
      return logits;
    };
    expect(await steps(true)).toEqual(await steps(false));
  });

  test("a call after a cancelled one finds the cache as it was", async () => {
    const embeddings = await model.embed(ids(200), never);
    const rest = embeddings.subarray(10 * tiny.hidden);
    const read = async (cancelFirst: boolean) => {
      const cache = model.createCache();
      await model.forward({ cache, embeddings: embeddings.subarray(0, 10 * tiny.hidden), rows: [] }, never);
      if (cancelFirst) {
        const controller = new AbortController();
        const stopped = model.forward({ cache, embeddings, rows: [199] }, controller.signal);
        controller.abort();
        await expect(stopped).rejects.toMatchObject({ code: "cancelled" });
      }
      const logits = await model.forward({ cache, embeddings: rest, rows: [189] }, never);
      await cache.dispose();
      return logits;
    };
    expect(await read(true)).toEqual(await read(false));
  });

  test("a token that is not in the vocabulary ends the call, not the model", async () => {
    for (const id of [tiny.vocabulary, 1_000_000, -tiny.vocabulary - 1]) {
      await expect(model.embed([3, id], never)).rejects.toMatchObject({ code: "model-failed" });
    }
    expect(await model.embed([3], never)).toHaveLength(tiny.hidden);
  });

  test("two caches know nothing of each other", async () => {
    const embeddings = await model.embed(ids(30), never);
    const [one, other] = [model.createCache(), model.createCache()];
    const rows = [29];
    const first = await model.forward({ cache: one, embeddings, rows }, never);
    const back = embeddings.toReversed();
    await Promise.all([
      model.forward({ cache: other, embeddings: back, rows: [] }, never),
      model.forward({ cache: one, embeddings, rows: [] }, never),
    ]);
    one.truncate(0);
    expect(await model.forward({ cache: one, embeddings, rows }, never)).toEqual(first);
    expect(other.length).toBe(30);
    await Promise.all([one.dispose(), other.dispose()]);
  });

  test("the event loop runs while the model reads", async () => {
    const embeddings = await model.embed(ids(500), never);
    const cache = model.createCache();
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 1);
    await model.forward({ cache, embeddings, rows: [499] }, never);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
    await cache.dispose();
  });
}
