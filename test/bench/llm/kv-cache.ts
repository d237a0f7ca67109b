import { readFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { logSumExp } from "../../../models/decode/log-probability.ts";
import { type CacheScales, inBytes } from "../../../models/import/int8-cache.ts";
import { layerScales } from "../../../models/import/measure-cache.ts";
import { cacheTexts } from "../../../models/import/quantise-cache.ts";
import type { LanguageModel } from "../../../models/runtime/backend.ts";
import { cApi } from "../../../models/runtime/ort/engine.ts";
import { checkedPack } from "../../unit/models/import/imported-language.ts";
import { openLanguage } from "../../unit/models/open-language.ts";
import { median } from "../../../core/figures.ts";

/**
 * node scripts/run-ts.mjs test/bench/llm/kv-cache.ts PACK [--windows N] [--length N] [--rounds N] [--context N]
 *
 * What keeping keys and values in 8 bits costs and brings, on a language model that keeps them in float32: perplexity of
 * text.txt in windows (the first 16 tokens of each are context only), read 64 tokens a run so that most of what is
 * attended to comes out of the cache; and milliseconds a token behind a long context, in turns. 0 leaves a part out.
 */
const [pack, ...flags] = process.argv.slice(2);
if (pack === undefined) {
  console.error(
    "usage: test/bench/llm/kv-cache.ts PACK [--windows N] [--length N] [--rounds N] [--context N]",
  );
  process.exit(2);
}
const flag = (name: string, otherwise: number) => {
  const at = flags.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(flags[at + 1]);
};
const { signal } = new AbortController();
const counts = {
  windows: flag("windows", 8),
  length: flag("length", 2048),
  rounds: flag("rounds", 5),
  context: flag("context", 3000),
};
const skipped = 16;
const part = 64;
const steps = 24;

const { model: float, tokenizer, heads } = await openLanguage(pack);
const config = JSON.parse(await readFile(path.join(pack, "tokenizer_config.json"), "utf8")) as object;
const scales = await measured();
const { model: bytes } = await openLanguage(pack, {
  decoder: (own) => ({ ...own, bytes: inBytes(own.bytes, scales, heads) }),
});
const ids = tokenizer.encode(await readFile(new URL("text.txt", import.meta.url), "utf8"));

/** As an import measures them. */
async function measured(): Promise<CacheScales[]> {
  const { embed, decoder } = (await checkedPack(pack!)).graphs;
  if (embed === null || decoder.type !== "bytes") throw new Error("not a pack of the app's own graphs");
  const texts = cacheTexts(tokenizer, config);
  const all: CacheScales[] = [];
  const input = { engine: cApi, embed, decoder, hidden: float.hidden, heads, texts };
  for await (const own of layerScales(input, signal)) all.push(own);
  return all;
}

async function negativeLogLikelihood(model: LanguageModel, window: readonly number[]): Promise<number> {
  const cache = model.createCache();
  let sum = 0;
  for (let at = 0; at < window.length; at += part) {
    const some = window.slice(at, at + part);
    const rows = [...some.keys()].filter((row) => at + row >= skipped && at + row + 1 < window.length);
    const embeddings = await model.embed(some, signal);
    const logits = await model.forward({ cache, embeddings, rows }, signal);
    for (const [index, row] of rows.entries()) {
      const own = logits.subarray(index * model.vocabulary, (index + 1) * model.vocabulary);
      sum += logSumExp(own) - own[window[at + row + 1]!]!;
    }
  }
  await cache.dispose();
  return sum;
}

async function perplexity() {
  const sums = { float32: 0, int8: 0 };
  let tokens = 0;
  for (let i = 0; i < counts.windows; i += 1) {
    const at = Math.floor(((ids.length - counts.length) * i) / Math.max(counts.windows - 1, 1));
    const window = ids.slice(at, at + counts.length);
    sums.float32 += await negativeLogLikelihood(float, window);
    sums.int8 += await negativeLogLikelihood(bytes, window);
    tokens += window.length - 1 - skipped;
    const ratio = Math.exp((sums.int8 - sums.float32) / tokens);
    console.error(`window ${i + 1} of ${counts.windows}: ratio so far ${ratio}`);
  }
  const [a, b] = [Math.exp(sums.float32 / tokens), Math.exp(sums.int8 / tokens)];
  return { tokens, float32: a, int8: b, ratio: b / a };
}

/** Milliseconds a token, the median, behind a context. */
async function decode(model: LanguageModel): Promise<number> {
  const cache = model.createCache();
  const before = await model.embed(ids.slice(0, counts.context), signal);
  await model.forward({ cache, embeddings: before, rows: [] }, signal);
  const times: number[] = [];
  for (let i = 0; i < steps; i += 1) {
    const started = performance.now();
    const embeddings = await model.embed([ids[counts.context + i]!], signal);
    await model.forward({ cache, embeddings, rows: [0] }, signal);
    times.push(performance.now() - started);
  }
  await cache.dispose();
  return median(times);
}

async function speed() {
  const times = { float32: [] as number[], int8: [] as number[] };
  for (let round = 0; round < counts.rounds; round += 1) {
    times.float32.push(await decode(float));
    times.int8.push(await decode(bytes));
    console.error(`round ${round + 1}: ${times.float32.at(-1)} and ${times.int8.at(-1)} ms a token`);
  }
  const [a, b] = [median(times.float32), median(times.int8)];
  return { context: counts.context, float32_ms: a, int8_ms: b, faster: a / b };
}

const report = {
  machine: { cpu: os.cpus()[0]?.model, cores: os.cpus().length, load: os.loadavg()[0] },
  ...(counts.windows > 0 ? { perplexity: await perplexity() } : {}),
  ...(counts.rounds > 0 ? { decode: await speed() } : {}),
};
console.log(JSON.stringify(report, null, 2));
await float.dispose();
await bytes.dispose();
