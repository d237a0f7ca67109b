import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { chatTemplate } from "../pack/read-pack.ts";
import type { Engine } from "../runtime/engine.ts";
import { cApi } from "../runtime/ort/engine.ts";
import { ChatTemplate } from "../text/chat-template.ts";
import { TextTokenizer } from "../text/tokenizer.ts";
import { cacheText } from "./cache-text.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { writeWhole } from "./describe-pack.ts";
import { type CacheScales, inBytes } from "./int8-cache.ts";
import { layerScales } from "./measure-cache.ts";

/**
 * What is read for the measurement: a turn of a conversation, and each paragraph by itself, since the first tokens of a
 * text have values of their own, many times as large as all others. A language model that was not tuned to talk has no
 * turns and reads the text as it is.
 */
export function cacheTexts(tokenizer: TextTokenizer, config: object): number[][] {
  const whole = "chat_template" in config ? turnOf(config) : cacheText;
  return [whole, ...cacheText.split("\n\n")].map((text) => tokenizer.encode(text));
}

function turnOf(config: object): string {
  const { source, tokens } = chatTemplate(config);
  return new ChatTemplate(source, tokens).render([{ role: "user", content: cacheText }]);
}

/**
 * Changes the decoder in a folder that holds graphs and weights so that it keeps keys and values in 8 bits: the model
 * reads a text, what it keeps is measured, and each layer has to read again with the new graph. One layer is in memory
 * at a time. Yields the fraction of the layers measured. @throws not-supported where this decoder's attention cannot
 */
export async function* quantiseCache(
  { config, tokenizer }: Pick<Checkpoint, "config" | "tokenizer">,
  { folder, engine = cApi }: { readonly folder: string; readonly engine?: Engine },
  signal: AbortSignal,
): AsyncGenerator<number, void, void> {
  const path = join(folder, "decoder.onnx");
  const graph = await readFile(path);
  const embed = await readFile(join(folder, "embed.onnx"));
  const source = (bytes: Uint8Array) => ({ type: "bytes", bytes, dataFolder: folder }) as const;
  const all = cacheTexts(new TextTokenizer(tokenizer.json, tokenizer.config), tokenizer.config);
  const texts = all.map((ids) => ids.slice(0, config.contextLength - 1));
  const { layers, kvHeads, headSize, rotary } = config;
  const heads = { layers, heads: kvHeads, headSize, turned: rotary.width };
  const measured = {
    engine,
    embed: source(embed),
    decoder: source(graph),
    hidden: config.hidden,
    heads,
    texts,
  };
  const scales: CacheScales[] = [];
  for await (const own of layerScales(measured, signal)) {
    scales.push(own);
    yield scales.length / config.layers;
  }
  await writeWhole(path, inBytes(graph, scales, heads));
}
