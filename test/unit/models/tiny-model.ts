import { OrtLanguageModel } from "../../../models/runtime/language-model.ts";
import { tiny, tinyDecoder, tinyEmbedding } from "./tiny-decoder.ts";

export const never: AbortSignal = new AbortController().signal;

/** A language model with random weights, for tests of what runs it. */
export function openTinyModel(contextLength: number = tiny.context): Promise<OrtLanguageModel> {
  const source = {
    embed: { type: "bytes", bytes: tinyEmbedding(), dataFolder: null },
    decoder: { type: "bytes", bytes: tinyDecoder(), dataFolder: null },
    vocabulary: tiny.vocabulary,
    contextLength,
  } as const;
  return OrtLanguageModel.open(source, { provider: null, threads: 2 });
}

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = a.length === b.length ? 0 : Infinity;
  for (let i = 0; i < a.length; i += 1) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}
