import { appError, throwIfAborted } from "../../core/errors.ts";
import type { Cache, ForwardRequest, LanguageModel, TokenSpan } from "./backend.ts";
import { type CacheShape, deviceCapacity, KeyValueCache } from "./kv-cache.ts";
import { type GraphSource, Session, type SessionOptions } from "./ort/session.ts";
import { Tensor, zeros } from "./ort/tensor.ts";

export interface LanguageModelSource {
  /** Null: a decoder that is only given embeddings. */
  readonly embed: GraphSource | null;
  readonly decoder: GraphSource;
  readonly vocabulary: number;
  /** Tokens. */
  readonly contextLength: number;
}

/** Tokens that one run of the graph reads, so that a long prompt needs no huge intermediate tensors. */
const chunk = 256;

/** The language model of a pack on ONNX Runtime; docs/packs.md describes the graphs. */
export class OrtLanguageModel implements LanguageModel {
  readonly hidden: number;
  readonly vocabulary: number;
  readonly contextLength: number;
  readonly #embed: Session | null;
  readonly #decoder: Session;
  readonly #shape: CacheShape;
  /** Whether image tokens see each other, so that an image must be read in one run. */
  readonly #imageBlocks: boolean;

  private constructor(embed: Session | null, decoder: Session, source: LanguageModelSource) {
    this.#embed = embed;
    this.#decoder = decoder;
    this.vocabulary = source.vocabulary;
    this.contextLength = decoder.device
      ? Math.min(source.contextLength, deviceCapacity)
      : source.contextLength;
    this.hidden = fixed(decoder.inputShape("inputs_embeds")[2]);
    const [, kvHeads, , headSize] = decoder.inputShape("past_key_0");
    this.#imageBlocks = decoder.inputs.includes("image_blocks");
    this.#shape = {
      layers: decoder.inputs.filter((name) => name.startsWith("past_key_")).length,
      kvHeads: fixed(kvHeads),
      headSize: fixed(headSize),
    };
  }

  static async open(source: LanguageModelSource, options: SessionOptions): Promise<OrtLanguageModel> {
    // A table look-up gains nothing on a graphics card.
    const embed = source.embed && (await Session.open(source.embed, { ...options, provider: null }));
    try {
      return new OrtLanguageModel(embed, await Session.open(source.decoder, options), source);
    } catch (thrown) {
      await embed?.dispose();
      throw thrown;
    }
  }

  createCache(): Cache {
    return new KeyValueCache(this.#decoder, this.#shape);
  }

  async embed(ids: readonly number[], signal: AbortSignal): Promise<Float32Array> {
    if (!this.#embed) throw appError("model-failed", "This model has no table of tokens.");
    const output = new Tensor(new Float32Array(ids.length * this.hidden), [ids.length, this.hidden]);
    if (ids.length > 0) {
      await runOnce(
        this.#embed,
        { inputs: { input_ids: idTensor(ids) }, outputs: { embeddings: output } },
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
    const logits = zeros(rows.length * this.vocabulary);
    try {
      for (let start = 0, end = 0; start < tokens; start = end) {
        throwIfAborted(signal);
        // No last run over a single token of a prompt (models/runtime/prompt-reader.ts says why).
        end = this.#runEnd(start, tokens, images);
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

  /** Where a run over the tokens from `start` on ends. */
  #runEnd(start: number, tokens: number, images: readonly TokenSpan[]): number {
    const wanted = start + chunk;
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
    // The graph computes at least one row: kernels do not all take empty matrices.
    const wanted = rows.length > 0 ? rows : [tokens - 1];
    const logits = new Tensor(zeros(wanted.length * this.vocabulary), [wanted.length, this.vocabulary]);
    const inputs = {
      inputs_embeds: new Tensor(embeddings, [1, tokens, this.hidden]),
      // GroupQueryAttention counts the valid tokens, these included, less one.
      seqlens_k: new Tensor(Int32Array.of(total - 1), [1]),
      total_sequence_length: new Tensor(Int32Array.of(total), []),
      logit_rows: idTensor(wanted),
      ...(this.#imageBlocks ? { image_blocks: blockTensor(tokens, images) } : {}),
    };
    const { binding } = cache;
    for (const [name, tensor] of Object.entries(inputs)) binding.input(name, tensor);
    binding.output("logits", logits);
    try {
      await cache.run(tokens, signal);
    } finally {
      for (const tensor of [...Object.values(inputs), logits]) tensor.dispose();
    }
    return logits.data;
  }
}

interface Tensors {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor>>;
}

/** Runs a graph without state; the inputs end with it, the outputs are the caller's. */
export async function runOnce(session: Session, tensors: Tensors, signal: AbortSignal): Promise<void> {
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

function idTensor(ids: readonly number[]): Tensor<BigInt64Array> {
  return new Tensor(
    BigInt64Array.from(ids, (id) => BigInt(id)),
    [ids.length],
  );
}

/** int64 [1, tokens]: 0 for text, the images numbered from 1. */
function blockTensor(tokens: number, images: readonly TokenSpan[]): Tensor<BigInt64Array> {
  const blocks = new BigInt64Array(tokens);
  for (const [index, { first, end }] of images.entries()) blocks.fill(BigInt(index + 1), first, end);
  return new Tensor(blocks, [1, tokens]);
}

function fixed(dimension: number | undefined): number {
  if (dimension === undefined || dimension <= 0) {
    throw appError("pack-damaged", "A graph of the model pack leaves a size open that it must fix.");
  }
  return dimension;
}
