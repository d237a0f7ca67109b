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
    const cache = new MovingCache(this.hidden, () => this.#caches.delete(cache));
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

/** The cache of the model in use, and what it was filled with as long as that may have to be read again. */
class MovingCache implements Cache {
  readonly #hidden: number;
  readonly #forgotten: () => void;
  #inner: Cache | null = null;
  #reads: Read[] = [];

  constructor(hidden: number, forgotten: () => void) {
    this.#hidden = hidden;
    this.#forgotten = forgotten;
  }

  get length(): number {
    return this.#inner?.length ?? this.#readTokens();
  }

  truncate(length: number): void {
    this.#inner?.truncate(length);
    this.#cut(length);
  }

  copy(from: number, to: number): CachedTokens | null {
    return this.#inner?.copy(from, to) ?? null;
  }

  append(copied: CachedTokens): void {
    this.#inner?.append(copied);
  }

  async dispose(): Promise<void> {
    this.#forgotten();
    this.#reads = [];
    await this.#inner?.dispose();
    this.#inner = null;
  }

  /** The cache in `model`, filled with what was read. A stop leaves everything to be read at the next call. */
  async enter(model: LanguageModel, signal: AbortSignal): Promise<Cache> {
    if (this.#inner) return this.#inner;
    const inner = model.createCache();
    try {
      if (this.#reads.length > 0)
        await model.forward({ cache: inner, ...this.#together(), rows: [] }, signal);
    } catch (thrown) {
      await inner.dispose();
      throw thrown;
    }
    this.#reads = [];
    this.#inner = inner;
    return inner;
  }

  /** Of a model on the card: what was read with it. */
  note({ embeddings, images = [] }: Omit<Read, "images"> & Partial<Read>): void {
    this.#reads.push({ embeddings, images });
  }

  async leave(): Promise<void> {
    const inner = this.#inner;
    this.#inner = null;
    await inner?.dispose();
  }

  #readTokens(): number {
    return this.#reads.reduce((sum, { embeddings }) => sum + embeddings.length / this.#hidden, 0);
  }

  #cut(length: number): void {
    let left = length;
    this.#reads = this.#reads.flatMap((read) => {
      const tokens = Math.min(left, read.embeddings.length / this.#hidden);
      left -= tokens;
      if (tokens <= 0) return [];
      const embeddings = read.embeddings.subarray(0, tokens * this.#hidden);
      return [{ embeddings, images: read.images.filter(({ end }) => end <= tokens) }];
    });
  }

  #together(): Read {
    const embeddings = new Float32Array(this.#readTokens() * this.#hidden);
    const images: TokenSpan[] = [];
    let at = 0;
    for (const read of this.#reads) {
      embeddings.set(read.embeddings, at * this.#hidden);
      for (const { first, end } of read.images) images.push({ first: first + at, end: end + at });
      at += read.embeddings.length / this.#hidden;
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
