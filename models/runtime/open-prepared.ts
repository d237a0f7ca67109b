import type { LanguageModel } from "./backend.ts";
import type { SessionOptions } from "./engine.ts";
import type { LanguageModelInput } from "./open-language.ts";
import type { PreparedWeights } from "./prepared-weights.ts";
import type { Runtime } from "./runtime.ts";

/** Which pack the weights belong to, and where they are kept ready for this machine. */
export interface PreparedPack {
  readonly weights: PreparedWeights;
  readonly digest: string;
  /** Of the weights in the pack. */
  readonly bytes: () => Promise<number>;
}

/**
 * Opens a language model on the CPU as an earlier loading prepared it, or prepares it for the next one. Whatever is
 * wrong with that, the pack's own graph is used instead.
 */
export async function openPreparedLanguage(
  runtime: Runtime,
  { source, options }: { readonly source: LanguageModelInput; readonly options: SessionOptions },
  { weights, digest, bytes }: PreparedPack,
): Promise<LanguageModel> {
  const plain = () => runtime.openLanguage(source, options);
  // The second runtime has no way to write them.
  if (runtime.instead !== null) return plain();
  const ready = await weights.find(digest);
  if (ready !== null) {
    try {
      return await runtime.openLanguage({ ...source, decoder: ready }, options);
    } catch {
      await weights.forget(digest);
    }
  }
  const building = await weights.begin(digest, await bytes());
  if (building === null) return plain();
  try {
    const decoder = { ...source.decoder, saveTo: building.folder };
    const model = await runtime.openLanguage({ ...source, decoder }, options);
    // Nobody waits for the digests.
    void building.keep();
    return model;
  } catch {
    await building.drop();
    return plain();
  }
}
