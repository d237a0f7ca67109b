import path from "node:path";
import { median } from "../../../core/figures.ts";
import { modelBytes } from "../../../models/import/graph-builder.ts";
import { parseGraph } from "../../../models/pack/graph-references.ts";
import { checkPack } from "../../../models/pack/read-pack.ts";
import { OrtLanguageModel } from "../../../models/runtime/language-model.ts";
import type { GraphSource } from "../../../models/runtime/engine.ts";
import { TextTokenizer } from "../../../models/text/tokenizer.ts";
import { readFile } from "node:fs/promises";

const signal = new AbortController().signal;

/** Log-probabilities of `ids[1..]` given what stands before each, and speeds, by one engine. */
export interface Engine {
  readonly name: string;
  /** Natural logarithms of the next token's probabilities after each token, as asked: rows of the whole vocabulary. */
  nextTokens(ids: readonly number[], rows: readonly number[]): Promise<Float32Array[]>;
  /** The same after each token from `first` on, read one by one as an answer is decoded. */
  steps(ids: readonly number[], first: number): Promise<Float32Array[]>;
  /** Milliseconds a token, the median, of `steps` tokens decoded after `context` tokens. */
  decode(ids: readonly number[], context: number, steps: number): Promise<number>;
  /** Milliseconds to read the tokens. */
  prefill(ids: readonly number[]): Promise<number>;
  dispose(): Promise<void>;
}

export interface OursOptions {
  readonly name: string;
  readonly threads: number;
  /** MatMulNBits' accuracy level by the name of the node: 4 rounds activations to 8 bit, 1 leaves them. Null: as shipped. */
  readonly level: ((node: string) => number) | null;
}

export async function openOurs(
  pack: string,
  { name: engineName, threads, level }: OursOptions,
): Promise<Engine & { encode(text: string): number[] }> {
  const check = checkPack(pack, signal);
  let step = await check.next();
  while (step.done !== true) step = await check.next();
  const { opened, graphs } = step.value;
  const { language } = opened.pack;
  if (language === null) throw new Error("the pack has no language model of its own");
  const decoder = level === null ? graphs.decoder : withLevels(graphs.decoder, level);
  const model = await OrtLanguageModel.open(
    { ...graphs, decoder, vocabulary: language.vocabulary, contextLength: language.context_length },
    { provider: null, threads },
  );
  const read = async (name: string) => JSON.parse(await readFile(path.join(pack, name), "utf8")) as object;
  const tokenizer = new TextTokenizer(await read(language.tokenizer), await read(language.tokenizer_config));
  return {
    name: engineName,
    encode: (text) => tokenizer.encode(text),
    async nextTokens(ids, rows) {
      const cache = model.createCache();
      const result: Float32Array[] = [];
      // In parts: all rows of a long text at once would take gigabytes.
      for (let first = 0; first < ids.length; first += 128) {
        const part = ids.slice(first, first + 128);
        const wanted = rows
          .filter((row) => row >= first && row < first + part.length)
          .map((row) => row - first);
        const flat = await model.forward(
          { cache, embeddings: await model.embed(part, signal), rows: wanted },
          signal,
        );
        wanted.forEach((_, i) =>
          result.push(logSoftmax(flat.subarray(i * model.vocabulary, (i + 1) * model.vocabulary))),
        );
      }
      await cache.dispose();
      return result;
    },
    async steps(ids, first) {
      const cache = model.createCache();
      const readOn = async (part: readonly number[]) => {
        const embeddings = await model.embed(part, signal);
        return logSoftmax(await model.forward({ cache, embeddings, rows: [part.length - 1] }, signal));
      };
      const result = [await readOn(ids.slice(0, first + 1))];
      for (const id of ids.slice(first + 1)) result.push(await readOn([id]));
      await cache.dispose();
      return result;
    },
    async decode(ids, context, steps) {
      const cache = model.createCache();
      await model.forward(
        { cache, embeddings: await model.embed(ids.slice(0, context), signal), rows: [] },
        signal,
      );
      const times: number[] = [];
      for (let i = 0; i < steps; i++) {
        const started = performance.now();
        const embeddings = await model.embed([ids[context + i] as number], signal);
        await model.forward({ cache, embeddings, rows: [0] }, signal);
        times.push(performance.now() - started);
      }
      await cache.dispose();
      return median(times);
    },
    async prefill(ids) {
      const cache = model.createCache();
      const started = performance.now();
      await model.forward(
        { cache, embeddings: await model.embed(ids, signal), rows: [ids.length - 1] },
        signal,
      );
      const time = performance.now() - started;
      await cache.dispose();
      return time;
    },
    dispose: () => model.dispose(),
  };
}

function withLevels(source: GraphSource, level: (node: string) => number): GraphSource {
  if (source.type !== "bytes") throw new Error("the graph is a file");
  const model = parseGraph(source.bytes);
  for (const node of model.graph?.node ?? []) {
    if (node.opType !== "MatMulNBits") continue;
    for (const attribute of node.attribute) {
      if (attribute.name === "accuracy_level") attribute.i = BigInt(level(node.name));
    }
  }
  return { ...source, bytes: modelBytes(model) };
}

function logSoftmax(logits: Float32Array): Float32Array {
  let most = -Infinity;
  for (const logit of logits) most = Math.max(most, logit);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - most);
  const shift = most + Math.log(sum);
  return logits.map((logit) => logit - shift);
}
