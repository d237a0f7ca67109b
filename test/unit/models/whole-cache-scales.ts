import {
  type CacheHeads,
  cacheScales,
  type CacheScales,
  largerScales,
} from "../../../models/import/int8-cache.ts";
import type { LanguageModel } from "../../../models/runtime/backend.ts";
import { never } from "./tiny-model.ts";

/** Scales out of what a model keeps while it reads each of `texts` from its beginning, the whole model in memory. */
export async function wholeCacheScales(
  model: LanguageModel,
  { texts, ...heads }: CacheHeads & { readonly texts: readonly (readonly number[])[] },
): Promise<CacheScales[]> {
  const all: CacheScales[][] = [];
  for (const ids of texts) {
    const cache = model.createCache();
    await model.forward({ cache, embeddings: await model.embed(ids, never), rows: [] }, never);
    const { parts } = cache.copy(0, ids.length)!;
    all.push(
      Array.from({ length: heads.layers }, (_, layer) =>
        cacheScales(parts.slice(2 * layer, 2 * layer + 2), heads),
      ),
    );
    await cache.dispose();
  }
  return all.reduce((a, b) => a.map((own, layer) => largerScales(own, b[layer]!)));
}
