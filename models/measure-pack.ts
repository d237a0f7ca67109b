import { readPack } from "./pack/read-pack.ts";
import type { InstalledPack } from "./open-pack.ts";
import type { MeasuredPack } from "./runtime/providers.ts";
import type { Runtime } from "./runtime/runtime.ts";

const promptTokens = 64;
const steps = 8;

/** How fast a pack speaks on a provider: a short prompt, then the median of some tokens behind it. */
export function measuredPack({ folder, summary }: InstalledPack, runtime: Runtime): MeasuredPack {
  const { signal } = new AbortController();
  return {
    digest: summary.digest,
    async measure(options) {
      const { graphs, layout, vocabulary } = await readPack(folder, signal);
      const source = { ...graphs, layout, vocabulary, contextLength: summary.contextLength };
      const model = await runtime.openLanguage(source, options);
      const cache = model.createCache();
      try {
        const ids = Array.from({ length: promptTokens }, (_, i) => (i * 31 + 7) % vocabulary);
        const embeddings = await model.embed(ids, signal);
        await model.forward({ cache, embeddings, rows: [promptTokens - 1] }, signal);
        const times: number[] = [];
        for (let step = 0; step <= steps; step += 1) {
          const one = await model.embed([ids[step]!], signal);
          const started = performance.now();
          await model.forward({ cache, embeddings: one, rows: [0] }, signal);
          times.push(performance.now() - started);
        }
        // The first one makes what the others use again.
        const median = times.slice(1).toSorted((a, b) => a - b)[steps >> 1]!;
        return Math.round(median * 10) / 10;
      } finally {
        await cache.dispose();
        await model.dispose();
      }
    },
  };
}
