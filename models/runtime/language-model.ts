import { appError, throwIfAborted } from "../../core/errors.ts";
import type { Cache, ForwardRequest, LanguageModel, TokenSpan } from "./backend.ts";
import { type CacheShape, deviceCapacity, KeyValueCache } from "./kv-cache.ts";
import {
  type Engine,
  type GraphSession,
  type GraphSource,
  type GraphTensor,
  type SessionOptions,
  zeros,
} from "./engine.ts";
import { cApi } from "./ort/engine.ts";
import { onProcessor } from "./processor-graph.ts";

export interface LanguageModelSource {
  /** Null: a decoder that is only given embeddings. */
  readonly embed: GraphSource | null;
  readonly decoder: GraphSource;
  readonly vocabulary: number;
  /** Tokens. */
  readonly contextLength: number;
}

/** The language model of a pack on ONNX Runtime; docs/formats/pack.md describes the graphs. */
export class OrtLanguageModel implements LanguageModel {
  readonly hidden: number;
  readonly vocabulary: number;
  readonly contextLength: number;
  readonly #engine: Engine;
  readonly #embed: GraphSession | null;
  readonly #decoder: GraphSession;
  readonly #shape: CacheShape;
  /** Whether it computes in half precision, in which large numbers are infinite. */
  readonly #half: boolean;
  /** Whether image tokens see each other, so that an image must be read in one run. */
  readonly #imageBlocks: boolean;
  /** Tokens of a prompt that one run reads. */
  readonly #chunk: number;

  private constructor(engine: Engine, { embed, decoder }: Graphs, source: LanguageModelSource) {
    this.#engine = engine;
    this.#embed = embed;
    this.#decoder = decoder;
    this.vocabulary = source.vocabulary;
    this.contextLength = decoder.device
      ? Math.min(source.contextLength, deviceCapacity)
      : source.contextLength;
    this.hidden = fixed(decoder.inputShape("inputs_embeds")[2]);
    this.#chunk = decoder.device ? engine.chunk : Math.min(engine.chunk, stoppableTokens(this.hidden));
    const [, kvHeads, , headSize] = decoder.inputShape("past_key_0");
    this.#half = decoder.inputType("past_key_0") === "float16";
    this.#imageBlocks = decoder.inputs.includes("image_blocks");
    this.#shape = {
      type: cacheType(decoder),
      layers: decoder.inputs.filter((name) => name.startsWith("past_key_")).length,
      kvHeads: fixed(kvHeads),
      headSize: fixed(headSize),
    };
  }

  static async open(
    source: LanguageModelSource,
    options: SessionOptions,
    engine: Engine = cApi,
  ): Promise<OrtLanguageModel> {
    // A table look-up gains nothing on a graphics card.
    const embed = source.embed && (await engine.open(source.embed, { ...options, provider: null }));
    let decoder: GraphSession | null = null;
    try {
      decoder = await engine.open(onProcessor(source.decoder, options), options);
      return new OrtLanguageModel(engine, { embed, decoder }, source);
    } catch (thrown) {
      await decoder?.dispose();
      await embed?.dispose();
      throw thrown;
    }
  }

  createCache(): Cache {
    return new KeyValueCache(this.#engine, this.#decoder, this.#shape);
  }

  async embed(ids: readonly number[], signal: AbortSignal): Promise<Float32Array> {
    if (!this.#embed) throw appError("model-failed", "This model has no table of tokens.");
    const values = new Float32Array(ids.length * this.hidden);
    const output = this.#engine.tensor(values, [ids.length, this.hidden]);
    if (ids.length > 0) {
      await runOnce(
        this.#embed,
        { inputs: { input_ids: this.#ids(ids) }, outputs: { embeddings: output } },
        signal,
      );
    }
    output.dispose();
    return output.data;
  }

  async forward(request: ForwardRequest, signal: AbortSignal): Promise<Float32Array> {
    const { embeddings, rows, images = [] } = request;
    const cache = request.cache as KeyValueCache;
    const tokens = embeddings.length / this.hidden;
    const before = cache.length;
    if (before + tokens > this.contextLength) {
      throw appError(
        "question-too-long",
        `Question and images are longer than the model's ${this.contextLength} tokens.`,
      );
    }
    cache.reserve(tokens);
    const chunk = Math.min(this.#chunk, this.#scoredTokens(cache));
    const logits = zeros(rows.length * this.vocabulary);
    try {
      for (let start = 0, end = 0; start < tokens; start = end) {
        throwIfAborted(signal);
        // No last run over a single token of a prompt (models/runtime/prompt-reader.ts says why).
        end = this.#runEnd(start + chunk, tokens, images);
        const first = rows.findIndex((row) => row >= start);
        const wanted = first < 0 ? [] : rows.slice(first).filter((row) => row < end);
        const part = await this.#read(
          cache,
          {
            embeddings: embeddings.subarray(start * this.hidden, end * this.hidden),
            rows: wanted.map((row) => row - start),
            images: images
              .filter((image) => image.first >= start && image.end <= end)
              .map((image) => ({ first: image.first - start, end: image.end - start })),
          },
          signal,
        );
        if (wanted.length > 0)
          logits.set(part.subarray(0, wanted.length * this.vocabulary), first * this.vocabulary);
      }
    } catch (thrown) {
      cache.truncate(before);
      throw thrown;
    }
    return logits;
  }

  async dispose(): Promise<void> {
    await this.#embed?.dispose();
    await this.#decoder.dispose();
  }

  /** Tokens of one run whose scores fit: attention keeps one for each of them, each head and place of the cache. */
  #scoredTokens({ capacity }: KeyValueCache): number {
    if (this.#decoder.device) return this.#chunk;
    const heads = Math.ceil(this.hidden / this.#shape.headSize);
    return Math.max(shortestRun, Math.floor(largestScores / (heads * capacity)));
  }

  /** Where a run ends that may take the tokens before `wanted`: an image whose tokens see each other is not cut. */
  #runEnd(wanted: number, tokens: number, images: readonly TokenSpan[]): number {
    const cut = this.#imageBlocks
      ? images.find(({ first, end }) => first < wanted && wanted < end)
      : undefined;
    const end = cut?.end ?? wanted;
    return end >= tokens - 1 ? tokens : end;
  }

  async #read(
    cache: KeyValueCache,
    { embeddings, rows, images = [] }: Omit<ForwardRequest, "cache">,
    signal: AbortSignal,
  ): Promise<Float32Array> {
    const tokens = embeddings.length / this.hidden;
    const total = cache.length + tokens;
    const wanted = computedRows(rows, tokens);
    const engine = this.#engine;
    const logits = engine.tensor(zeros(wanted.length * this.vocabulary), [wanted.length, this.vocabulary]);
    const inputs: Record<string, GraphTensor> = {
      inputs_embeds: engine.tensor(embeddings, [1, tokens, this.hidden]),
      // GroupQueryAttention counts the valid tokens, these included, less one.
      seqlens_k: engine.tensor(Int32Array.of(total - 1), [1]),
      total_sequence_length: engine.tensor(Int32Array.of(total), []),
      logit_rows: this.#ids(wanted),
      ...(this.#imageBlocks ? { image_blocks: engine.tensor(imageBlocks(tokens, images), [1, tokens]) } : {}),
    };
    const { binding } = cache;
    for (const [name, tensor] of Object.entries(inputs)) binding.input(name, tensor);
    binding.output("logits", logits);
    try {
      await cache.run(tokens, signal);
    } finally {
      for (const tensor of [...Object.values(inputs), logits]) tensor.dispose();
    }
    if (this.#half) assertNumbers(logits.data);
    return logits.data;
  }

  #ids(ids: readonly number[]): GraphTensor<BigInt64Array> {
    const values = BigInt64Array.from(ids, (id) => BigInt(id));
    return this.#engine.tensor(values, [ids.length]);
  }
}

/**
 * Rows of logits that a run computes. At least one, since kernels do not all take empty matrices; one of several tokens
 * twice, since kernels for a single row may round in another way than those for more.
 */
function computedRows(rows: readonly number[], tokens: number): readonly number[] {
  if (rows.length > 1) return rows;
  const [row = tokens - 1] = rows;
  return tokens > 1 ? [row, row] : [row];
}

/** Numbers of attention's scores that one run may hold, 256 MiB of them. */
const largestScores = 2 ** 26;
/** Reading fewer tokens at a time takes as long as reading these. */
const shortestRun = 32;

/**
 * Tokens that one run may read so that a stop need not wait: native code stops between two nodes of the graph, and the
 * largest of them, the way into the middle, multiplies about seven times `hidden`² numbers with each token. Four
 * billion products take some 50 ms on two processors.
 */
export function stoppableTokens(hidden: number): number {
  return Math.max(shortestRun, Math.floor(4e9 / (7 * hidden ** 2)));
}

interface Graphs {
  readonly embed: GraphSession | null;
  readonly decoder: GraphSession;
}

interface Tensors {
  readonly inputs: Readonly<Record<string, GraphTensor>>;
  readonly outputs: Readonly<Record<string, GraphTensor>>;
}

/** Runs a graph without state; the inputs end with it, the outputs are the caller's. */
export async function runOnce(session: GraphSession, tensors: Tensors, signal: AbortSignal): Promise<void> {
  const binding = session.bind();
  try {
    for (const [name, tensor] of Object.entries(tensors.inputs)) binding.input(name, tensor);
    for (const [name, tensor] of Object.entries(tensors.outputs)) binding.output(name, tensor);
    await binding.run(signal);
  } finally {
    binding.dispose();
    for (const tensor of Object.values(tensors.inputs)) tensor.dispose();
  }
}

/** int64 [1, tokens]: 0 for text, the images numbered from 1. */
function imageBlocks(tokens: number, images: readonly TokenSpan[]): BigInt64Array {
  const blocks = new BigInt64Array(tokens);
  for (const [index, { first, end }] of images.entries()) blocks.fill(BigInt(index + 1), first, end);
  return blocks;
}

/** @throws provider-not-available: keys and values of 8 bits are for the processor's kernels, of 16 bits for a card's */
function cacheType(decoder: GraphSession): CacheShape["type"] {
  const type = decoder.inputType("past_key_0");
  const onCard = decoder.device !== null;
  if (type === "int8" && onCard) {
    throw appError(
      "provider-not-available",
      "This model pack keeps what it has read in 8 bits, which works on the processor only. Choose the provider CPU.",
    );
  }
  if (type === "float16" && !onCard) {
    throw appError(
      "provider-not-available",
      "This model pack keeps what it has read in 16 bits, which works on a graphics card only. Choose another pack.",
    );
  }
  return type === "int8" ? "int8" : "float32";
}

/** @throws model-failed */
function assertNumbers(values: Float32Array): void {
  if (values.every((value) => Number.isFinite(value))) return;
  throw appError(
    "model-failed",
    "This model's numbers are too large for 16 bits. Choose the provider CPU, or import it with --weights 8bit or 4bit.",
  );
}

function fixed(dimension: number | undefined): number {
  if (dimension === undefined || dimension <= 0) {
    throw appError("pack-damaged", "A graph of the model pack leaves a size open that it must fix.");
  }
  return dimension;
}
