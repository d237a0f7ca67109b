import type { ApiKinds } from "../../../core/rpc.ts";
import type { TokenSpan } from "../backend.ts";
import type { LanguageModelInput } from "../open-language.ts";
import type { VisionModelSource } from "../vision-model.ts";

/** What the thread of the second runtime serves. Models and caches go by numbers. */
export interface WorkerApi {
  /** Loads the library. */
  version(input: Record<string, never>, signal: AbortSignal): Promise<string>;
  openLanguage(
    input: { readonly source: LanguageModelInput; readonly threads: number },
    signal: AbortSignal,
  ): Promise<{ readonly model: number; readonly hidden: number; readonly contextLength: number }>;
  openVision(
    input: { readonly source: VisionModelSource; readonly threads: number },
    signal: AbortSignal,
  ): Promise<{ readonly model: number }>;
  embed(
    input: { readonly model: number; readonly ids: readonly number[] },
    signal: AbortSignal,
  ): Promise<Float32Array>;
  forward(input: ForwardInput, signal: AbortSignal): Promise<Float32Array>;
  encode(
    input: { readonly model: number; readonly pixels: Float32Array; readonly count: number },
    signal: AbortSignal,
  ): Promise<Float32Array>;
  closeCache(input: { readonly model: number; readonly cache: number }, signal: AbortSignal): Promise<void>;
  close(input: { readonly model: number }, signal: AbortSignal): Promise<void>;
}

export interface ForwardInput {
  readonly model: number;
  /** Made with its first use; the other side counts. */
  readonly cache: number;
  /** Tokens of the cache that count; what lies behind them is forgotten. */
  readonly held: number;
  readonly embeddings: Float32Array;
  readonly rows: readonly number[];
  readonly images: readonly TokenSpan[];
}

export const workerKinds: ApiKinds<WorkerApi> = {
  version: "call",
  openLanguage: "call",
  openVision: "call",
  embed: "call",
  forward: "call",
  encode: "call",
  closeCache: "call",
  close: "call",
};
