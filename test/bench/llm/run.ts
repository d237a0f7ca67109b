import { readFile } from "node:fs/promises";
import os from "node:os";
import { openLlamaCpp } from "./llama-cpp.ts";
import { median, openOurs, type Engine } from "./ours.ts";

/**
 * node scripts/run-ts.mjs test/bench/llm/run.ts PACK GGUF [--windows N] [--prompts N] [--rounds N]
 *
 * The shipped language model beside llama.cpp on the GGUF it was imported from: perplexity of text.txt in windows of
 * 512 tokens (the first 16 of each are context only), greedy continuation, speeds. One JSON object on stdout.
 */
const [pack, gguf, ...flags] = process.argv.slice(2);
if (pack === undefined || gguf === undefined) {
  console.error("usage: test/bench/llm/run.ts PACK GGUF [--windows N] [--prompts N] [--rounds N]");
  process.exit(2);
}
const flag = (name: string, otherwise: number) => {
  const at = flags.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(flags[at + 1]);
};
const threads = 2;
const windowTokens = 512;
const skipped = 16;

const ours = await openOurs(pack, threads);
const theirs = await openLlamaCpp(gguf, threads);
const text = await readFile(new URL("../text.txt", import.meta.url), "utf8");
const ids = ours.encode(text);

async function negativeLogLikelihood(engine: Engine, window: readonly number[]): Promise<number> {
  const rows = Array.from({ length: window.length - 1 - skipped }, (_, i) => i + skipped);
  const distributions = await engine.nextTokens(window, rows);
  return rows.reduce((sum, row, i) => sum - (distributions[i]?.[window[row + 1] as number] ?? 0), 0);
}

async function perplexities(windows: number) {
  const sums = { ours: 0, theirs: 0 };
  let tokens = 0;
  for (let i = 0; i < windows; i++) {
    const at = Math.floor(((ids.length - windowTokens) * i) / Math.max(windows - 1, 1));
    const window = ids.slice(at, at + windowTokens);
    sums.ours += await negativeLogLikelihood(ours, window);
    sums.theirs += await negativeLogLikelihood(theirs, window);
    tokens += window.length - 1 - skipped;
    console.error(
      `window ${i + 1} of ${windows}: ratio so far ${Math.exp((sums.ours - sums.theirs) / tokens)}`,
    );
  }
  const [a, b] = [Math.exp(sums.ours / tokens), Math.exp(sums.theirs / tokens)];
  return { tokens, ours: a, "llama.cpp": b, ratio: a / b };
}

const best = (row: Float32Array) => row.reduce((at, value, i) => (value > (row[at] as number) ? i : at), 0);

/** Both continue greedily; where they part, how much more llama.cpp thinks of its token than of ours. */
async function greedyComparison(prompts: number, length: number) {
  const margins: number[] = [];
  let equal = 0;
  for (let i = 0; i < prompts; i++) {
    const at = Math.floor(((ids.length - 64) * i) / prompts);
    const sequence = ids.slice(at, at + 48);
    let parted = false;
    for (let step = 0; step < length && !parted; step++) {
      const [a] = await ours.nextTokens(sequence, [sequence.length - 1]);
      const [b] = await theirs.nextTokens(sequence, [sequence.length - 1]);
      if (a === undefined || b === undefined) throw new Error("an engine gave no distribution");
      parted = best(a) !== best(b);
      if (parted) margins.push((b[best(b)] as number) - (b[best(a)] as number));
      sequence.push(best(b));
    }
    if (!parted) equal += 1;
    console.error(`prompt ${i + 1} of ${prompts}`);
  }
  const rounded = margins.map((margin) => Number(margin.toFixed(4))).toSorted((a, b) => a - b);
  return { prompts, tokens_each: length, equal, margins_at_first_difference: rounded };
}

async function speeds(rounds: number) {
  const of = { ours: empty(), theirs: empty() };
  for (let i = 0; i < rounds; i++) {
    for (const [key, engine] of [
      ["ours", ours],
      ["theirs", theirs],
    ] as const) {
      of[key]["decode@128"].push(await engine.decode(ids, 128, 48));
      of[key]["decode@1024"].push(await engine.decode(ids, 1024, 32));
      of[key]["prefill@512"].push(await engine.prefill(ids.slice(0, 512)));
    }
    console.error(`round ${i + 1} of ${rounds}`);
  }
  const rows = (["decode@128", "decode@1024", "prefill@512"] as const).map((name) => {
    const [a, b] = [median(of.ours[name]), median(of.theirs[name])];
    return [name, { ours_ms: a, "llama.cpp_ms": b, ratio: b / a }] as const;
  });
  return Object.fromEntries(rows);
}

function empty() {
  return { "decode@128": [] as number[], "decode@1024": [] as number[], "prefill@512": [] as number[] };
}

const report = {
  machine: { cpu: os.cpus()[0]?.model, cores: os.cpus().length, load: os.loadavg()[0] },
  threads,
  perplexity: await perplexities(flag("windows", 8)),
  greedy: await greedyComparison(flag("prompts", 6), 24),
  speed: await speeds(flag("rounds", 5)),
};
console.log(JSON.stringify(report, null, 2));
await theirs.dispose();
await ours.dispose();
