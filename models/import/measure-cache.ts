import { AppError, appError, throwIfAborted } from "../../core/errors.ts";
import { parseGraph } from "../pack/graph-references.ts";
import type { Engine, GraphSource } from "../runtime/engine.ts";
import { runOnce, stoppableTokens } from "../runtime/language-model.ts";
import { type CacheHeads, cacheScales, type CacheScales, inBytes, largerScales } from "./int8-cache.ts";
import { type LayerGraph, layerGraph } from "./layer-graph.ts";
import { LayerReader, type LayerSource, runEnds, type TextStates } from "./layer-reader.ts";

export interface MeasuredDecoder {
  readonly engine: Engine;
  readonly embed: GraphSource;
  readonly decoder: Extract<GraphSource, { type: "bytes" }>;
  /** Values of an embedding. */
  readonly hidden: number;
  readonly heads: CacheHeads;
  /** Token ids of what is read, each from its beginning. */
  readonly texts: readonly (readonly number[])[];
}

const options = {
  provider: null,
  threads: 2,
  // Weights as the kernels lay them out take what they need, not the next power of two.
  entries: { "session.use_device_allocator_for_initializers": "1" },
} as const;

/** Tokens of the first text that a layer reads again once its cache has 8 bits. */
const checkedTokens = 64;

/**
 * Yields the scales of one layer after another. All texts go through the decoder layer by layer: one layer is in memory
 * at a time, and of the texts what stands between two layers, 8 bytes for each token and value of its embedding (66 MB
 * for 1,000 tokens of a 70B model). Each layer then has to read some tokens with its cache in 8 bits.
 * @throws not-supported where this decoder's attention cannot, cancelled, out-of-memory, model-failed
 */
export async function* layerScales(
  decoder: MeasuredDecoder,
  signal: AbortSignal,
): AsyncGenerator<CacheScales, void, void> {
  const { heads } = decoder;
  const model = parseGraph(decoder.decoder.bytes);
  const texts = await embedTexts(decoder, signal);
  for (let layer = 0; layer < heads.layers; layer += 1) {
    throwIfAborted(signal);
    const graph = layerGraph(model, { layer, layers: heads.layers });
    const sample = beginning(texts[0]!, checkedTokens);
    const scales = await readOn(decoder, { graph, texts }, signal);
    const changed = { ...graph, bytes: inBytes(graph.bytes, [scales], heads) };
    await assertReads(decoder, { graph: changed, sample }, signal);
    yield scales;
  }
}

async function embedTexts(
  { engine, embed, hidden, texts }: MeasuredDecoder,
  signal: AbortSignal,
): Promise<TextStates[]> {
  const session = await engine.open(embed, options);
  try {
    const states: TextStates[] = [];
    for (const ids of texts) {
      const input_ids = engine.tensor(BigInt64Array.from(ids, BigInt), [ids.length]);
      const embeddings = engine.tensor(new Float32Array(ids.length * hidden), [ids.length, hidden]);
      await runOnce(session, { inputs: { input_ids }, outputs: { embeddings } }, signal);
      embeddings.dispose();
      states.push({ tokens: ids.length, tensors: [embeddings.data] });
    }
    return states;
  } finally {
    await session.dispose();
  }
}

interface LayerWork {
  readonly graph: LayerGraph;
  /** Changed: each text's states become those behind the layer, so that there is never a second set of all. */
  readonly texts: TextStates[];
}

async function readOn(
  decoder: MeasuredDecoder,
  { graph, texts }: LayerWork,
  signal: AbortSignal,
): Promise<CacheScales> {
  const run = Math.min(decoder.engine.chunk, stoppableTokens(decoder.hidden));
  const reader = await LayerReader.open(layerSource(decoder, "float32"), graph);
  try {
    const all: CacheScales[] = [];
    for (const [at, text] of texts.entries()) {
      const { states, kept } = await reader.read(text, runEnds(text.tokens, run), signal);
      texts[at] = states;
      all.push(cacheScales(kept, decoder.heads));
    }
    return all.reduce(largerScales);
  } finally {
    await reader.dispose();
  }
}

/** In a run over a prompt and in one over a single token. @throws not-supported */
async function assertReads(
  decoder: MeasuredDecoder,
  { graph, sample }: { readonly graph: LayerGraph; readonly sample: TextStates },
  signal: AbortSignal,
): Promise<void> {
  let reader: LayerReader | null = null;
  try {
    reader = await LayerReader.open(layerSource(decoder, "int8"), graph);
    const { states } = await reader.read(sample, [sample.tokens - 1, sample.tokens], signal);
    const sound = states.tensors.every((values) => values.every((value) => Number.isFinite(value)));
    if (!sound) throw new Error("what the layer computes is no number");
  } catch (cause) {
    if (signal.aborted || (cause instanceof AppError && cause.code === "out-of-memory")) throw cause;
    const message =
      "The attention of this model does not work with a cache of 8 bits. Import it without --kv-cache int8.";
    throw appError("not-supported", message, cause);
  } finally {
    await reader?.dispose();
  }
}

function layerSource({ engine, decoder, heads }: MeasuredDecoder, type: LayerSource["type"]): LayerSource {
  return { engine, options, dataFolder: decoder.dataFolder, heads, type };
}

function beginning({ tokens, tensors }: TextStates, most: number): TextStates {
  const kept = Math.min(tokens, most);
  return { tokens: kept, tensors: tensors.map((values) => values.slice(0, (values.length / tokens) * kept)) };
}
