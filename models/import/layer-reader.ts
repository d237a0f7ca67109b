import type { CachedTokens } from "../runtime/backend.ts";
import type { Engine, GraphSession, GraphTensor, SessionOptions } from "../runtime/engine.ts";
import { KeyValueCache } from "../runtime/kv-cache.ts";
import type { CacheHeads } from "./int8-cache.ts";
import type { LayerGraph } from "./layer-graph.ts";

/** What stands between two layers while a text is read: float32 [tokens, hidden] each. */
export interface TextStates {
  readonly tokens: number;
  readonly tensors: readonly Float32Array[];
}

export interface LayerSource {
  readonly engine: Engine;
  readonly options: SessionOptions;
  /** Where the weights lie; null: in the graph. */
  readonly dataFolder: string | null;
  readonly heads: Omit<CacheHeads, "layers">;
  /** What the layer keeps keys and values as. */
  readonly type: "float32" | "int8";
}

export interface ReadText {
  /** What the next layer gets. */
  readonly states: TextStates;
  /** Keys and values, [heads, tokens, headSize]. */
  readonly kept: CachedTokens["parts"];
}

/** A layer of a decoder in a session of its own, which reads texts from their beginnings. */
export class LayerReader {
  readonly #source: LayerSource;
  readonly #graph: Pick<LayerGraph, "inputs" | "outputs">;
  readonly #session: GraphSession;

  private constructor(source: LayerSource, graph: LayerGraph, session: GraphSession) {
    this.#source = source;
    this.#graph = graph;
    this.#session = session;
  }

  static async open(source: LayerSource, graph: LayerGraph): Promise<LayerReader> {
    const { engine, options, dataFolder } = source;
    const { bytes } = graph;
    return new LayerReader(source, graph, await engine.open({ type: "bytes", bytes, dataFolder }, options));
  }

  /** In runs that end before the tokens `ends`, the last of which is the text's length. */
  async read(given: TextStates, ends: readonly number[], signal: AbortSignal): Promise<ReadText> {
    const { engine, heads, type } = this.#source;
    const shape = { type, layers: 1, kvHeads: heads.heads, headSize: heads.headSize };
    const cache = new KeyValueCache(engine, this.#session, shape);
    try {
      cache.reserve(given.tokens);
      const made = this.#graph.outputs.map(() => new Float32Array(given.tensors[0]!.length));
      for (const end of ends) await this.#run(cache, { given, made, end }, signal);
      return {
        states: { tokens: given.tokens, tensors: made },
        kept: cache.copy(0, given.tokens)?.parts ?? [],
      };
    } finally {
      await cache.dispose();
    }
  }

  dispose(): Promise<void> {
    return this.#session.dispose();
  }

  async #run(
    cache: KeyValueCache,
    { given, made, end }: { given: TextStates; made: readonly Float32Array[]; end: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { engine } = this.#source;
    const count = end - cache.length;
    const width = given.tensors[0]!.length / given.tokens;
    const part = (whole: Float32Array) =>
      engine.tensor(whole.subarray(cache.length * width, end * width), [1, count, width]);
    const inputs: Record<string, GraphTensor> = {
      // GroupQueryAttention counts the valid tokens, these included, less one.
      seqlens_k: engine.tensor(Int32Array.of(end - 1), [1]),
      total_sequence_length: engine.tensor(Int32Array.of(end), []),
      ...(this.#session.inputs.includes("image_blocks")
        ? { image_blocks: engine.tensor(new BigInt64Array(count), [1, count]) }
        : {}),
    };
    for (const [at, name] of this.#graph.inputs.entries()) inputs[name] = part(given.tensors[at]!);
    const outputs = made.map(part);
    try {
      for (const [name, tensor] of Object.entries(inputs)) cache.binding.input(name, tensor);
      for (const [at, name] of this.#graph.outputs.entries()) cache.binding.output(name, outputs[at]!);
      await cache.run(count, signal);
    } finally {
      for (const tensor of [...Object.values(inputs), ...outputs]) tensor.dispose();
    }
  }
}

/** Where the runs over a text end, which are as long as those of a prompt (models/runtime/language-model.ts). */
export function runEnds(tokens: number, most: number): number[] {
  const ends: number[] = [];
  for (let end = 0; end < tokens;) {
    end = end + most >= tokens - 1 ? tokens : end + most;
    ends.push(end);
  }
  return ends;
}
