/**
 * What the rest of the app knows of a running model: numbers in, numbers out. Both runtimes beside this file serve it
 * (`runtime.ts` says which is taken); nothing outside `models/runtime` names sessions, bindings or caches' memory.
 */

/** Keys and values of some tokens, as long as nobody forgets them; they belong to their places in the sequence. */
export interface CachedTokens {
  readonly from: number;
  readonly tokens: number;
  /** One a layer and side; 8-bit numbers where the pack keeps them so. */
  readonly parts: readonly (Float32Array | Int8Array)[];
}

/** The attention keys and values of the tokens that a sequence holds so far. */
export interface Cache {
  /** Tokens held. */
  readonly length: number;
  /** Forgets the tokens from `length` on. */
  truncate(length: number): void;
  /** A copy of the tokens `from` to `to`; null where it cannot be had (a device's memory). */
  copy(from: number, to: number): CachedTokens | null;
  /** Goes on with tokens that were copied from this place of a cache which held the same before it. */
  append(copied: CachedTokens): void;
  /** Waits for the run in progress. */
  dispose(): Promise<void>;
}

export interface ForwardRequest {
  readonly cache: Cache;
  /** float32 [tokens, hidden]: what follows the tokens that the cache holds. */
  readonly embeddings: Float32Array;
  /** Which of these tokens' logits are wanted, ascending. */
  readonly rows: readonly number[];
  /** Where images stand among these tokens, for models whose image tokens see each other. Absent: nowhere. */
  readonly images?: readonly TokenSpan[];
}

/** Tokens from `first` to `end`, end exclusive. */
export interface TokenSpan {
  readonly first: number;
  readonly end: number;
}

export interface LanguageModel {
  readonly hidden: number;
  readonly vocabulary: number;
  /** Tokens. */
  readonly contextLength: number;
  createCache(): Cache;
  /** float32 [ids, hidden] */
  embed(ids: readonly number[], signal: AbortSignal): Promise<Float32Array>;
  /**
   * Reads tokens into the cache and returns the logits of `rows`, float32 [rows, vocabulary].
   * A cancelled or failed call leaves the cache as it was before.
   * @throws cancelled, question-too-long (more than contextLength tokens), out-of-memory, model-failed
   */
  forward(request: ForwardRequest, signal: AbortSignal): Promise<Float32Array>;
  dispose(): Promise<void>;
}

export interface VisionModel {
  /** Embeddings of one image. */
  readonly tokens: number;
  readonly hidden: number;
  /** float32 [count, 3, height, width] → float32 [count, tokens, hidden] */
  encode(pixels: Float32Array, count: number, signal: AbortSignal): Promise<Float32Array>;
  dispose(): Promise<void>;
}
