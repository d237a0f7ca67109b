import { median } from "../../core/figures.ts";
import type { LanguageModel } from "../runtime/backend.ts";

/** Tokens that stand before those decoded. */
export const contexts = [128, 1024, 3000] as const;
const decodedTokens = 32;
const promptTokens = 512;

/** One figure a name: tokens a second for `decode@CONTEXT` and `prefill@TOKENS`, milliseconds for `…_ms`. */
export type Sample = Readonly<Record<string, number>>;

/** Reading a prompt, and saying tokens behind each context that the model has room for. @throws cancelled, model-failed */
export async function textSpeed(language: LanguageModel, signal: AbortSignal): Promise<Sample> {
  const sample: Record<string, number> = {};
  const ids = (count: number) =>
    Array.from({ length: count }, (_, i) => (i * 7919 + 101) % language.vocabulary);
  const cache = language.createCache();
  try {
    const room = language.contextLength - decodedTokens;
    const reading = Math.min(promptTokens, room);
    const prompt = await language.embed(ids(reading), signal);
    const readingMs = await timed(() =>
      language.forward({ cache, embeddings: prompt, rows: [reading - 1] }, signal),
    );
    sample[`prefill@${reading}`] = (1000 * reading) / readingMs;
    for (const context of contexts.filter((tokens) => tokens <= room)) {
      cache.truncate(Math.min(cache.length, context));
      const missing = context - cache.length;
      if (missing > 0) {
        const embeddings = await language.embed(ids(missing), signal);
        await language.forward({ cache, embeddings, rows: [] }, signal);
      }
      const steps: number[] = [];
      for (let step = 0; step < decodedTokens; step++) {
        const embeddings = await language.embed([101 + step], signal);
        steps.push(await timed(() => language.forward({ cache, embeddings, rows: [0] }, signal)));
      }
      sample[`decode@${context}`] = 1000 / median(steps);
    }
    return sample;
  } finally {
    await cache.dispose();
  }
}

/** Milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
