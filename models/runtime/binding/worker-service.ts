import { appError, throwIfAborted } from "../../../core/errors.ts";
import type { Cache, LanguageModel } from "../backend.ts";
import { zeros } from "../engine.ts";
import { openLanguageModel } from "../open-language.ts";
import { OrtVisionModel } from "../vision-model.ts";
import { bindingVersion, nodeBinding } from "./engine.ts";
import type { WorkerApi } from "./worker-api.ts";

type Held =
  | { readonly type: "language"; readonly model: LanguageModel; readonly caches: Map<number, Cache> }
  | { readonly type: "vision"; readonly model: OrtVisionModel };

/** The models of the thread. One call at a time: a run blocks the thread, and calls on one cache must not mix. */
export function createWorkerService(): WorkerApi {
  const held = new Map<number, Held>();
  let count = 0;
  let queue: Promise<unknown> = Promise.resolve();

  function inTurn<Value>(signal: AbortSignal, work: () => Promise<Value>): Promise<Value> {
    const done = queue.then(() => {
      throwIfAborted(signal);
      return work();
    });
    queue = done.catch(() => undefined);
    return done;
  }

  function keep(model: Held): number {
    count += 1;
    held.set(count, model);
    return count;
  }

  function find<Type extends Held["type"]>(id: number, type: Type): Extract<Held, { type: Type }> {
    const found = held.get(id);
    if (found?.type !== type) throw appError("model-failed", "A model was used after it was closed.");
    return found as Extract<Held, { type: Type }>;
  }

  function cacheOf(model: number, id: number): Cache {
    const { caches, model: language } = find(model, "language");
    const cache = caches.get(id) ?? language.createCache();
    caches.set(id, cache);
    return cache;
  }

  return {
    version: async () => bindingVersion(),
    openLanguage: ({ source, threads }, signal) =>
      inTurn(signal, async () => {
        const model = await openLanguageModel(source, { provider: null, threads }, nodeBinding);
        const { hidden, contextLength } = model;
        return { model: keep({ type: "language", model, caches: new Map() }), hidden, contextLength };
      }),
    openVision: ({ source, threads }, signal) =>
      inTurn(signal, async () => {
        const model = await OrtVisionModel.open(source, { provider: null, threads }, nodeBinding);
        return { model: keep({ type: "vision", model }) };
      }),
    embed: ({ model, ids }, signal) => inTurn(signal, () => find(model, "language").model.embed(ids, signal)),
    forward: ({ model, cache: id, held: tokens, embeddings, rows, images }, signal) =>
      inTurn(signal, () => {
        const cache = cacheOf(model, id);
        cache.truncate(tokens);
        if (cache.length !== tokens) {
          throw appError("model-failed", "The model lost what it had read. Ask again.");
        }
        return find(model, "language").model.forward({ cache, embeddings, rows, images }, signal);
      }),
    encode: ({ model, pixels, count: images }, signal) =>
      inTurn(signal, async () => {
        const { model: vision } = find(model, "vision");
        const each = vision.tokens * vision.hidden;
        const all = zeros(images * each);
        // One image a run: between two of them the call can be stopped.
        for (let image = 0; image < images; image += 1) {
          const one = pixels.slice((image * pixels.length) / images, ((image + 1) * pixels.length) / images);
          all.set(await vision.encode(one, 1, signal), image * each);
        }
        return all;
      }),
    closeCache: ({ model, cache: id }, signal) =>
      inTurn(signal, async () => {
        const found = held.get(model);
        if (found?.type !== "language") return;
        await found.caches.get(id)?.dispose();
        found.caches.delete(id);
      }),
    close: ({ model }, signal) =>
      inTurn(signal, async () => {
        const found = held.get(model);
        held.delete(model);
        if (found?.type === "language") for (const cache of found.caches.values()) await cache.dispose();
        await found?.model.dispose();
      }),
  };
}
