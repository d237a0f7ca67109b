import type { Cache, LanguageModel, TokenSpan } from "./backend.ts";
import { KeptImages } from "./kept-images.ts";

/** The tokens that an image becomes: float32 [tokens, hidden]. The same object stands for the same image. */
export interface ImageTokens {
  readonly tokens: number;
  readonly hidden: number;
  readonly values: Float32Array;
}

export type PromptPart =
  | { readonly type: "text"; readonly ids: readonly number[] }
  | { readonly type: "image"; readonly image: ImageTokens };

export interface ReadRequest {
  readonly parts: readonly PromptPart[];
  /** Positions in the whole prompt whose logits are wanted, ascending. */
  readonly rows: readonly number[];
  /** The image comes again with other questions: what is read of it is kept. Of the first image of a prompt only. */
  readonly lasting?: boolean;
}

export interface ReadResult {
  /** float32 [rows, vocabulary] */
  readonly logits: Float32Array;
  /** Tokens that were in the cache already. */
  readonly reused: number;
}

/**
 * A run over one token takes other kernels than a run over several, and with 4-bit weights and 8-bit activations their
 * logits differ by some tenths. A prompt therefore never ends in a run over one: what it gives must not depend on how
 * much of it was in the cache.
 */
const leastTokens = 2;

/** What stands at a position: a token, or an image (each of its tokens alike: images are whole or not there). */
type Item = number | ImageTokens;

/**
 * Reads prompts with one cache. What a prompt shares with the one before, from its beginning on, is not read again:
 * the system turn, the image of a follow-up question, the question of the next sentence to be scored.
 */
export class PromptReader {
  readonly #model: LanguageModel;
  readonly #cache: Cache;
  readonly #kept: KeptImages;
  #held: Item[] = [];

  /** `kept` may be shared by the readers of a model. */
  constructor(model: LanguageModel, kept = new KeptImages()) {
    this.#model = model;
    this.#kept = kept;
    this.#cache = model.createCache();
  }

  async read({ parts, rows, lasting = false }: ReadRequest, signal: AbortSignal): Promise<ReadResult> {
    const items = parts.flatMap((part): Item[] =>
      part.type === "text" ? [...part.ids] : Array.from({ length: part.image.tokens }, () => part.image),
    );
    this.#takeKept(parts, items);
    // A row's logits come with its token: that one has to be read even where the cache holds it.
    const shared = Math.min(sharedLength(this.#held, items), rows[0] ?? items.length);
    const spans = imageSpans(parts);
    const wanted = Math.max(0, Math.min(shared, items.length - leastTokens));
    // An image is read whole or not at all: its tokens may see each other.
    const reused = spans.find(({ first, end }) => first < wanted && wanted < end)?.first ?? wanted;
    const images = spans
      .filter(({ first }) => first >= reused)
      .map(({ first, end }) => ({ first: first - reused, end: end - reused }));
    this.#cache.truncate(reused);
    this.#held.length = reused;
    const embeddings = await this.#embed(parts, reused, signal);
    const logits = await this.#model.forward(
      { cache: this.#cache, embeddings, rows: rows.map((row) => row - reused), images },
      signal,
    );
    this.#held = items;
    if (lasting) this.#keep(parts);
    return { logits, reused };
  }

  /** Tokens for which there is room behind what was read. */
  get room(): number {
    return this.#model.contextLength - this.#cache.length;
  }

  /**
   * Reads tokens behind what was read last and returns their logits, float32 [ids, vocabulary]: a step of an answer,
   * with one token and any that are guessed to follow it.
   */
  async step(ids: readonly number[], signal: AbortSignal): Promise<Float32Array> {
    const embeddings = await this.#model.embed(ids, signal);
    const logits = await this.#model.forward(
      { cache: this.#cache, embeddings, rows: [...ids.keys()] },
      signal,
    );
    // Not known again as these tokens: keys and values may come from a run over one.
    for (const _ of ids) this.#held.push(Number.NaN);
    return logits;
  }

  /** Takes back as many tokens of the steps that were read last. */
  forget(tokens: number): void {
    if (tokens <= 0) return;
    this.#held.length -= tokens;
    this.#cache.truncate(this.#held.length);
  }

  /** Takes over what another reader of the model has read, where that can be copied. */
  goOnFrom(other: PromptReader): void {
    const said = other.#held.findIndex((item) => Number.isNaN(item));
    const length = said < 0 ? other.#held.length : said;
    const copied = other.#cache.copy(0, length);
    if (copied === null) return;
    this.#held = [];
    this.#cache.truncate(0);
    this.#cache.append(copied);
    this.#held = other.#held.slice(0, length);
  }

  dispose(): Promise<void> {
    this.#held = [];
    return this.#cache.dispose();
  }

  /** Goes on behind the first image, where the text before it is held and the image was kept. */
  #takeKept(parts: readonly PromptPart[], items: readonly Item[]): void {
    const first = firstImage(parts);
    if (first === null || this.#held[first.before.length] === first.image) return;
    if (sharedLength(this.#held, items) < first.before.length) return;
    const cached = this.#kept.find(first.image, first.before);
    if (cached === null) return;
    this.#cache.truncate(cached.from);
    this.#held = items.slice(0, cached.from);
    this.#cache.append(cached);
    this.#held = items.slice(0, cached.from + cached.tokens);
  }

  #keep(parts: readonly PromptPart[]): void {
    const first = firstImage(parts);
    if (first === null || this.#kept.find(first.image, first.before) !== null) return;
    const from = first.before.length;
    const cached = this.#cache.copy(from, from + first.image.tokens);
    if (cached !== null) this.#kept.keep(first.image, { before: first.before, cached });
  }

  /** float32 [positions from `from` on, hidden] */
  async #embed(parts: readonly PromptPart[], from: number, signal: AbortSignal): Promise<Float32Array> {
    const { hidden } = this.#model;
    const pieces: Float32Array[] = [];
    let position = 0;
    for (const part of parts) {
      const length = part.type === "text" ? part.ids.length : part.image.tokens;
      const skip = Math.max(0, from - position);
      position += length;
      if (skip >= length) continue;
      pieces.push(
        part.type === "text"
          ? await this.#model.embed(part.ids.slice(skip), signal)
          : part.image.values.subarray(skip * hidden),
      );
    }
    const all = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }
}

function imageSpans(parts: readonly PromptPart[]): TokenSpan[] {
  const spans: TokenSpan[] = [];
  let at = 0;
  for (const part of parts) {
    const first = at;
    at += part.type === "text" ? part.ids.length : part.image.tokens;
    if (part.type === "image") spans.push({ first, end: at });
  }
  return spans;
}

function firstImage(parts: readonly PromptPart[]): { before: readonly number[]; image: ImageTokens } | null {
  const [text, next] = parts;
  return text?.type === "text" && next?.type === "image" ? { before: text.ids, image: next.image } : null;
}

/** Token ids in order, NaN for those of images. */
export function promptIds(parts: readonly PromptPart[]): number[] {
  return parts.flatMap((part) =>
    part.type === "text" ? [...part.ids] : Array.from({ length: part.image.tokens }, () => Number.NaN),
  );
}

export function promptLength(parts: readonly PromptPart[]): number {
  return parts.reduce((sum, part) => sum + (part.type === "text" ? part.ids.length : part.image.tokens), 0);
}

function sharedLength(a: readonly Item[], b: readonly Item[]): number {
  const limit = Math.min(a.length, b.length);
  let length = 0;
  while (length < limit && a[length] === b[length]) length += 1;
  return length;
}
