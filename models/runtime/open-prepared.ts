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

interface Opening {
  readonly source: LanguageModelInput;
  readonly options: SessionOptions;
}

/**
 * Opens a language model on the CPU as an earlier loading prepared it, or prepares it first. Whatever is wrong with
 * that, the pack's own graph is used instead.
 */
export async function openPreparedLanguage(
  runtime: Runtime,
  opening: Opening,
  pack: PreparedPack,
): Promise<LanguageModel> {
  const { source, options } = opening;
  // The second runtime has no way to write them.
  if (runtime.instead !== null) return runtime.openLanguage(source, options);
  const { weights, digest } = pack;
  const ready = (await weights.find(digest)) ?? (await prepare(runtime, opening, pack));
  if (ready !== null) {
    try {
      return await runtime.openLanguage({ ...source, decoder: ready }, options);
    } catch {
      await weights.forget(digest);
    }
  }
  return runtime.openLanguage(source, options);
}

/**
 * Writes what loading makes of the pack's graph, and keeps nothing of it in memory: with the files mapped, the model
 * then takes a seventh less. Null where that cannot be done.
 */
async function prepare(
  runtime: Runtime,
  { source, options }: Opening,
  { weights, digest, bytes }: PreparedPack,
) {
  const building = await weights.begin(digest, await bytes());
  if (building === null) return null;
  try {
    const decoder = { ...source.decoder, saveTo: building.folder };
    const entries = { ...options.entries, "session.disable_prepacking": "1" };
    const writing = await runtime.openLanguage({ ...source, embed: null, decoder }, { ...options, entries });
    await writing.dispose();
    return await building.keep();
  } catch {
    await building.drop();
    return null;
  }
}
