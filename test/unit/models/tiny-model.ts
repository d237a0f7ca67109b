import type { LanguageModel } from "../../../models/runtime/backend.ts";
import { openBindingRuntime, openCRuntime, type Runtime } from "../../../models/runtime/runtime.ts";
import { tiny, tinyDecoder, tinyEmbedding } from "./tiny-decoder.ts";

export const never: AbortSignal = new AbortController().signal;

/** Both ways to ONNX Runtime, for tests that must hold for either. */
export const runtimes: readonly { readonly name: string; readonly open: () => Promise<Runtime> }[] = [
  { name: "the C interface", open: openCRuntime },
  { name: "the binding in a thread", open: () => openBindingRuntime("For a test.", () => undefined) },
];

export const cpu = { provider: null, threads: 2 } as const;

/** The graphs of a language model with random weights. */
export const tinySource = {
  embed: { type: "bytes", bytes: tinyEmbedding(), dataFolder: null },
  decoder: { type: "bytes", bytes: tinyDecoder(), dataFolder: null },
  vocabulary: tiny.vocabulary,
  contextLength: tiny.context,
} as const;

export async function openTinyModel(runtime: Runtime): Promise<LanguageModel> {
  return runtime.openLanguage(tinySource, cpu);
}

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = a.length === b.length ? 0 : Infinity;
  for (let i = 0; i < a.length; i += 1) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}
