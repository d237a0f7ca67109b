import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { appError } from "../../core/errors.ts";
import { parseGraph } from "../pack/graph-references.ts";
import { chatTemplate } from "../pack/read-pack.ts";
import type { LanguageModel } from "../runtime/backend.ts";
import { OrtLanguageModel } from "../runtime/language-model.ts";
import { ChatTemplate } from "../text/chat-template.ts";
import { TextTokenizer } from "../text/tokenizer.ts";
import { cacheText } from "./cache-text.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { writeWhole } from "./describe-pack.ts";
import { modelBytes } from "./graph-builder.ts";
import { type CacheHeads, type CacheScales, keepCacheInBytes, measureCacheScales } from "./int8-cache.ts";

/** The graph of a decoder with 8-bit keys and values, by scales. @throws not-supported */
export function inBytes(graph: Uint8Array, scales: readonly CacheScales[], heads: CacheHeads): Uint8Array {
  const model = parseGraph(graph);
  keepCacheInBytes(model, scales, heads);
  return modelBytes(model);
}

/**
 * What is read for the measurement: a turn of a conversation, and each paragraph by itself, since the first tokens of a
 * text have values of their own, many times as large as all others.
 */
export function cacheTexts(tokenizer: TextTokenizer, config: object): number[][] {
  const { source, tokens } = chatTemplate(config);
  const turn = new ChatTemplate(source, tokens).render([{ role: "user", content: cacheText }]);
  return [turn, ...cacheText.split("\n\n")].map((text) => tokenizer.encode(text));
}

/**
 * Changes the decoder in a folder that holds graphs and weights so that it keeps keys and values in 8 bits: the model
 * reads a text, what it keeps is measured, and the new graph has to read it again. Loads the whole language model.
 * @throws not-supported where this decoder's attention cannot
 */
export async function quantiseCache(
  { config, tokenizer }: Pick<Checkpoint, "config" | "tokenizer">,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const graph = await readFile(join(folder, "decoder.onnx"));
  const embed = await readFile(join(folder, "embed.onnx"));
  const source = (bytes: Uint8Array) => ({ type: "bytes", bytes, dataFolder: folder }) as const;
  const open = (decoder: Uint8Array) =>
    OrtLanguageModel.open(
      {
        embed: source(embed),
        decoder: source(decoder),
        vocabulary: config.vocabulary,
        contextLength: config.contextLength,
      },
      { provider: null, threads: 2 },
    );
  const all = cacheTexts(new TextTokenizer(tokenizer.json, tokenizer.config), tokenizer.config);
  const texts = all.map((ids) => ids.slice(0, config.contextLength - 1));
  const heads = { layers: config.layers, heads: config.kvHeads, headSize: config.headSize };
  const scales = await using(await open(graph), (model) =>
    measureCacheScales(model, { texts, ...heads }, signal),
  );
  const changed = inBytes(graph, scales, heads);
  await using(await open(changed), (model) => assertReads(model, texts[0]!, signal));
  await writeWhole(join(folder, "decoder.onnx"), changed);
}

/** In a run over a prompt and in one over a single token. @throws not-supported */
async function assertReads(model: LanguageModel, ids: readonly number[], signal: AbortSignal): Promise<void> {
  const cache = model.createCache();
  try {
    for (const part of [ids.slice(0, -1), ids.slice(-1)]) {
      const embeddings = await model.embed(part, signal);
      const logits = await model.forward({ cache, embeddings, rows: [part.length - 1] }, signal);
      if (!logits.every((value) => Number.isFinite(value))) throw new Error("the logits are no numbers");
    }
  } catch (cause) {
    if (signal.aborted) throw cause;
    const message =
      "The attention of this model does not work with a cache of 8 bits. Import it without --kv-cache int8.";
    throw appError("not-supported", message, cause);
  } finally {
    await cache.dispose();
  }
}

async function using<Value>(
  model: LanguageModel,
  work: (model: LanguageModel) => Promise<Value>,
): Promise<Value> {
  try {
    return await work(model);
  } finally {
    await model.dispose();
  }
}
