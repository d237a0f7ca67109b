import { AppError } from "../../core/errors.ts";
import type {
  Cache,
  CachedTokens,
  ForwardRequest,
  LanguageModel,
  TokenSpan,
  VisionModel,
} from "./backend.ts";

/** How a model that lies on a graphics card comes to the processor. */
export interface Spare<Model> {
  readonly openOnCpu: () => Promise<Model>;
  /** Called once, when the card's memory was not enough. */
  readonly moved: () => void;
}

export function isOutOfMemory(thrown: unknown): boolean {
  return thrown instanceof AppError && thrown.code === "out-of-memory";
}

/** Opens on the card, or where its memory is not even enough for that on the processor. */
export async function openWithSpare<Model>(
  openOnDevice: () => Promise<Model>,
  wrap: (model: Model) => Model,
  spare: Spare<Model>,
): Promise<Model> {
  try {
    return wrap(await openOnDevice());
  } catch (thrown) {
    if (!isOutOfMemory(thrown)) throw thrown;
    spare.moved();
    return spare.openOnCpu();
  }
}

/**
 * A language model on a graphics card that goes on on the processor when the card's memory is not enough, in the
 * middle of an answer if need be. Keys and values stay on the card and cannot be moved; what was read is kept as
 * embeddings (some hundredths of their size) and read again.
 */
export class SpareLanguageModel implements LanguageModel {
  readonly hidden: number;
  readonly vocabulary: number;
  readonly #spare: Spare<LanguageModel>;
  readonly #caches = new Set<MovingCache>();
  #model: LanguageModel;
  #onDevice = true;
  /** One call at a time, so that none runs on a model that is being left. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(model: LanguageModel, spare: Spare<LanguageModel>) {
    this.#model = model;
    this.#spare = spare;
    this.hidden = model.hidden;
    this.vocabulary = model.vocabulary;
  }

  get contextLength(): number {
    return this.#model.contextLength;
  }

  createCache(): Cache {
    const cache = new MovingCache(this.hidden, {
      onDevice: () => this.#onDevice,
      forgotten: () => this.#caches.delete(cache),
    });
    this.#caches.add(cache);
    return cache;
  }

  embed(ids: readonly number[], signal: AbortSignal): Promise<Float32Array> {
    return this.#inTurn(() => this.#model.embed(ids, signal));
  }

  forward(request: ForwardRequest, signal: AbortSignal): Promise<Float32Array> {
    return this.#inTurn(async () => {
      try {
        return await this.#forward(request, signal);
      } catch (thrown) {
        if (!this.#onDevice || !isOutOfMemory(thrown)) throw thrown;
        await this.#leaveDevice();
        return this.#forward(request, signal);
      }
    });
  }

  dispose(): Promise<void> {
    return this.#inTurn(() => this.#model.dispose());
  }

  async #forward(request: ForwardRequest, signal: AbortSignal): Promise<Float32Array> {
    const cache = request.cache as MovingCache;
    const inner = await cache.enter(this.#model, signal);
    const logits = await this.#model.forward({ ...request, cache: inner }, signal);
    if (this.#onDevice) cache.note(request);
    return logits;
  }

  async #leaveDevice(): Promise<void> {
    // What lies on the card is given back first: some share the machine's memory.
    for (const cache of this.#caches) await cache.leave();
    await this.#model.dispose();
    this.#onDevice = false;
    this.#model = await this.#spare.openOnCpu();
    this.#spare.moved();
  }

  #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

interface Read {
  /** float32 [tokens, hidden] */
  readonly embeddings: Float32Array;
  readonly images: readonly TokenSpan[];
}

/** Some tokens that a cache is filled with: read, or taken over from another one, of which the first are kept. */
type Filling =
  | ({ readonly type: "read"; readonly tokens: number } & Read)
  | { readonly type: "copied"; readonly tokens: number; readonly copied: CachedTokens };

interface CacheOwner {
  readonly onDevice: () => boolean;
  readonly forgotten: () => void;
}

/** The cache of the model in use, and what it is to be filled with: all of it as long as the model may leave its card. */
class MovingCache implements Cache {
  readonly #hidden: number;
  readonly #owner: CacheOwner;
  #inner: Cache | null = null;
  #fillings: Filling[] = [];

  constructor(hidden: number, owner: CacheOwner) {
    this.#hidden = hidden;
    this.#owner = owner;
  }

  get length(): number {
    return this.#inner?.length ?? this.#fillings.reduce((sum, { tokens }) => sum + tokens, 0);
  }

  truncate(length: number): void {
    this.#inner?.truncate(length);
    this.#cut(length);
  }

  /** Nothing of the card's: it could not be taken along. */
  copy(from: number, to: number): CachedTokens | null {
    return this.#owner.onDevice() ? null : (this.#inner?.copy(from, to) ?? null);
  }

  append(copied: CachedTokens): void {
    if (this.#inner) this.#inner.append(copied);
    else this.#fillings.push({ type: "copied", tokens: copied.tokens, copied });
  }

  async dispose(): Promise<void> {
    this.#owner.forgotten();
    this.#fillings = [];
    await this.#inner?.dispose();
    this.#inner = null;
  }

  /** The cache in `model`, filled as it was. A stop leaves everything to be filled in at the next call. */
  async enter(model: LanguageModel, signal: AbortSignal): Promise<Cache> {
    if (this.#inner) return this.#inner;
    const inner = model.createCache();
    try {
      await this.#fill(model, inner, signal);
    } catch (thrown) {
      await inner.dispose();
      throw thrown;
    }
    this.#fillings = [];
    this.#inner = inner;
    return inner;
  }

  /** Of a model on the card: what was read with it. */
  note({ embeddings, images = [] }: Omit<Read, "images"> & Partial<Read>): void {
    this.#fillings.push({ type: "read", tokens: embeddings.length / this.#hidden, embeddings, images });
  }

  async leave(): Promise<void> {
    const inner = this.#inner;
    this.#inner = null;
    await inner?.dispose();
  }

  /** What was read in one piece is read in one run again. */
  async #fill(model: LanguageModel, inner: Cache, signal: AbortSignal): Promise<void> {
    const left = [...this.#fillings];
    while (left.length > 0) {
      const next = left.findIndex(({ type }) => type === "copied");
      const reads = left.splice(0, next < 0 ? left.length : next);
      if (reads.length > 0) {
        await model.forward({ cache: inner, ...this.#together(reads), rows: [] }, signal);
      }
      const [taken] = left.splice(0, 1);
      if (taken?.type !== "copied") continue;
      const end = inner.length + taken.tokens;
      inner.append(taken.copied);
      inner.truncate(end);
    }
  }

  #cut(length: number): void {
    let left = length;
    this.#fillings = this.#fillings.flatMap((filling): Filling[] => {
      const tokens = Math.min(left, filling.tokens);
      left -= tokens;
      if (tokens <= 0) return [];
      if (filling.type === "copied") return [{ ...filling, tokens }];
      const embeddings = filling.embeddings.subarray(0, tokens * this.#hidden);
      return [{ ...filling, tokens, embeddings, images: filling.images.filter(({ end }) => end <= tokens) }];
    });
  }

  #together(fillings: readonly Filling[]): Read {
    const tokens = fillings.reduce((sum, filling) => sum + filling.tokens, 0);
    const embeddings = new Float32Array(tokens * this.#hidden);
    const images: TokenSpan[] = [];
    let at = 0;
    for (const filling of fillings) {
      if (filling.type !== "read") continue;
      embeddings.set(filling.embeddings, at * this.#hidden);
      for (const { first, end } of filling.images) images.push({ first: first + at, end: end + at });
      at += filling.tokens;
    }
    return { embeddings, images };
  }
}

/** An image encoder on a graphics card; as `SpareLanguageModel`. */
export class SpareVisionModel implements VisionModel {
  readonly tokens: number;
  readonly hidden: number;
  readonly #spare: Spare<VisionModel>;
  #model: VisionModel;
  /** The opening on the processor, once it was needed; calls that fail together share it. */
  #moving: Promise<VisionModel> | null = null;

  constructor(model: VisionModel, spare: Spare<VisionModel>) {
    this.#model = model;
    this.#spare = spare;
    this.tokens = model.tokens;
    this.hidden = model.hidden;
  }

  async encode(pixels: Float32Array, count: number, signal: AbortSignal): Promise<Float32Array> {
    try {
      return await this.#model.encode(pixels, count, signal);
    } catch (thrown) {
      // A call that was waiting finds its model closed by the one before it.
      if (!isOutOfMemory(thrown) && this.#moving === null) throw thrown;
      if (signal.aborted) throw thrown;
      this.#moving ??= this.#move();
      return (await this.#moving).encode(pixels, count, signal);
    }
  }

  async dispose(): Promise<void> {
    const model = await (this.#moving ?? this.#model);
    await model.dispose();
  }

  async #move(): Promise<VisionModel> {
    await this.#model.dispose();
    this.#model = await this.#spare.openOnCpu();
    this.#spare.moved();
    return this.#model;
  }
}
