import { appError, throwIfAborted } from "../../core/errors.ts";
import type { Cache, ForwardRequest, LanguageModel } from "./backend.ts";
import { type Engine, type GraphSession, type GraphTensor, type SessionOptions, zeros } from "./engine.ts";
import { ExportedCache } from "./exported-cache.ts";
import { type LanguageModelSource, runOnce } from "./language-model.ts";
import { cApi } from "./ort/engine.ts";

/** Values that the logits of one run may have: these graphs give them for every token. */
const logitValues = 16 * 1024 * 1024;

/**
 * A language model exported for transformers.js (`embed_tokens`, `decoder_model_merged`), run as it is. Keys and values
 * come out of each run as new tensors, so a step costs a copy of everything read so far.
 */
export class ExportedLanguageModel implements LanguageModel {
  readonly hidden: number;
  readonly vocabulary: number;
  readonly contextLength: number;
  readonly #engine: Engine;
  readonly #embed: GraphSession;
  readonly #decoder: GraphSession;

  private constructor(
    engine: Engine,
    { embed, decoder }: { readonly embed: GraphSession; readonly decoder: GraphSession },
    source: LanguageModelSource,
  ) {
    this.#engine = engine;
    this.#embed = embed;
    this.#decoder = decoder;
    this.vocabulary = source.vocabulary;
    this.contextLength = source.contextLength;
    this.hidden = fixed(decoder.inputShape("inputs_embeds")[2]);
  }

  static async open(
    source: LanguageModelSource,
    options: SessionOptions,
    engine: Engine = cApi,
  ): Promise<ExportedLanguageModel> {
    if (source.embed === null) throw appError("model-failed", "This model has no table of tokens.");
    const embed = await engine.open(source.embed, { ...options, provider: null });
    try {
      return new ExportedLanguageModel(
        engine,
        { embed, decoder: await engine.open(source.decoder, options) },
        source,
      );
    } catch (thrown) {
      await embed.dispose();
      throw thrown;
    }
  }

  createCache(): Cache {
    const [, heads, , headSize] = this.#decoder.inputShape("past_key_values.0.key");
    const parts = this.#decoder.inputs.filter((name) => name.startsWith("past_key_values."));
    return new ExportedCache(parts, { heads: fixed(heads), headSize: fixed(headSize) });
  }

  async embed(ids: readonly number[], signal: AbortSignal): Promise<Float32Array> {
    const values = new Float32Array(ids.length * this.hidden);
    if (ids.length === 0) return values;
    const output = this.#engine.tensor(values, [1, ids.length, this.hidden]);
    try {
      const inputs = { input_ids: this.#integers(ids, [1, ids.length]) };
      await runOnce(this.#embed, { inputs, outputs: { inputs_embeds: output } }, signal);
    } finally {
      output.dispose();
    }
    return output.data;
  }

  async forward({ cache, embeddings, rows }: ForwardRequest, signal: AbortSignal): Promise<Float32Array> {
    const held = cache as ExportedCache;
    const tokens = embeddings.length / this.hidden;
    const before = held.length;
    if (before + tokens > this.contextLength) {
      throw appError(
        "question-too-long",
        `Question and images are longer than the model's ${this.contextLength} tokens.`,
      );
    }
    const logits = zeros(rows.length * this.vocabulary);
    const chunk = Math.max(1, Math.min(this.#engine.chunk, Math.floor(logitValues / this.vocabulary)));
    try {
      for (let start = 0; start < tokens; start += chunk) {
        throwIfAborted(signal);
        const end = Math.min(tokens, start + chunk);
        const part = embeddings.subarray(start * this.hidden, end * this.hidden);
        const all = await this.#read(held, part, signal);
        for (const [index, row] of rows.entries()) {
          if (row < start || row >= end) continue;
          const at = (row - start) * this.vocabulary;
          logits.set(all.subarray(at, at + this.vocabulary), index * this.vocabulary);
        }
      }
    } catch (thrown) {
      held.truncate(before);
      throw thrown;
    }
    return logits;
  }

  async dispose(): Promise<void> {
    await this.#embed.dispose();
    await this.#decoder.dispose();
  }

  /** Logits of every token of one run, [tokens, vocabulary]. */
  async #read(cache: ExportedCache, embeddings: Float32Array, signal: AbortSignal): Promise<Float32Array> {
    const tokens = embeddings.length / this.hidden;
    const past = cache.length;
    const total = past + tokens;
    const { inputs: names } = this.#decoder;
    const positions = Array.from({ length: tokens }, (_, i) => past + i);
    const inputs: Record<string, GraphTensor> = {
      inputs_embeds: this.#engine.tensor(embeddings, [1, tokens, this.hidden]),
      attention_mask: this.#integers(
        Array.from({ length: total }, () => 1),
        [1, total],
      ),
    };
    if (names.includes("position_ids")) inputs["position_ids"] = this.#integers(positions, [1, tokens]);
    if (names.includes("num_logits_to_keep")) inputs["num_logits_to_keep"] = this.#integers([tokens], []);
    const logits = this.#engine.tensor(zeros(tokens * this.vocabulary), [1, tokens, this.vocabulary]);
    const outputs: Record<string, GraphTensor> = { logits };
    const made = cache.next(tokens);
    for (const [name, { values, shape }] of cache.past()) inputs[name] = this.#engine.tensor(values, shape);
    for (const [name, { values, shape }] of made) outputs[name] = this.#engine.tensor(values, shape);
    try {
      await runOnce(this.#decoder, { inputs, outputs }, signal);
    } finally {
      for (const tensor of Object.values(outputs)) tensor.dispose();
    }
    cache.take(made, total);
    return logits.data;
  }

  #integers(values: readonly number[], shape: readonly number[]): GraphTensor<BigInt64Array> {
    return this.#engine.tensor(
      BigInt64Array.from(values, (value) => BigInt(value)),
      shape,
    );
  }
}

function fixed(dimension: number | undefined): number {
  if (dimension !== undefined && dimension > 0) return dimension;
  throw appError("pack-damaged", "A graph of the model pack leaves a size open that it must fix.");
}
