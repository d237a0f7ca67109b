import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { importModel } from "../../../models/import/import-model.ts";
import { type Distance, distanceOf } from "./distance.ts";
import { openLlamaCpp } from "./llama-cpp.ts";
import { median } from "../../../core/figures.ts";
import { openOurs, type Engine } from "./ours.ts";
import { fixedText, negativeLogLikelihood, scoredTokens, windowsOf } from "./perplexity.ts";

/**
 * node scripts/run-ts.mjs test/bench/llm/run.ts PACK GGUF [--windows N] [--prompts N] [--tokens N] [--rounds N]
 *
 * The shipped language model beside llama.cpp on the GGUF it was imported from: perplexity of text.txt in windows of
 * 512 tokens (the first 16 of each are context only), greedy tokens, speeds; 0 leaves a part out. The greedy tokens of
 * both, and their distributions, are also held against the same GGUF in float32. One JSON object on stdout.
 */
const [pack, gguf, ...flags] = process.argv.slice(2);
if (pack === undefined || gguf === undefined) {
  console.error(
    "usage: test/bench/llm/run.ts PACK GGUF [--windows N] [--prompts N] [--tokens N] [--rounds N]",
  );
  process.exit(2);
}
const flag = (name: string, otherwise: number) => {
  const at = flags.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(flags[at + 1]);
};
const threads = 2;

const ours = await openOurs(pack, { name: "ours", threads, level: null });
const theirs = await openLlamaCpp(gguf, threads);
const ids = ours.encode(await fixedText());

async function perplexities(windows: number) {
  const sums = { ours: 0, theirs: 0 };
  let tokens = 0;
  for (const [i, window] of windowsOf(ids, windows).entries()) {
    sums.ours += await negativeLogLikelihood(ours, window);
    sums.theirs += await negativeLogLikelihood(theirs, window);
    tokens += scoredTokens;
    console.error(
      `window ${i + 1} of ${windows}: ratio so far ${Math.exp((sums.ours - sums.theirs) / tokens)}`,
    );
  }
  const [a, b] = [Math.exp(sums.ours / tokens), Math.exp(sums.theirs / tokens)];
  return { tokens, ours: a, "llama.cpp": b, ratio: a / b };
}

const best = (row: Float32Array) => row.reduce((at, value, i) => (value > (row[at] as number) ? i : at), 0);

/**
 * Float32 continues each prompt greedily and the others read what it says: where does each first want another token,
 * and how much less does float32 think of that one? And where do ours and llama.cpp first differ from each other?
 */
async function greedyComparison(prompts: number, length: number) {
  const folder = await mkdtemp(path.join(os.tmpdir(), "bench-llm-"));
  const input = { source: gguf!, targetFolder: folder, name: "whole", precision: "float32" } as const;
  for await (const event of importModel(input, new AbortController().signal))
    if (event.type === "done") break;
  const whole = await openOurs(path.join(folder, "whole"), { name: "float32", threads, level: null });
  const others: Engine[] = [
    ours,
    await openOurs(pack!, {
      name: "ours, head with float activations",
      threads,
      level: (node) => (node.startsWith("layers/") ? 4 : 1),
    }),
    await openOurs(pack!, { name: "ours, all with float activations", threads, level: () => 1 }),
    theirs,
  ];
  const told = new Map(others.map(({ name }) => [name, [] as FirstDifference[]]));
  const distances = new Map(others.map(({ name }) => [name, [] as Distance[]]));
  const apart: FirstDifference[] = [];
  for (let i = 0; i < prompts; i++) {
    const at = Math.floor(((ids.length - 64) * i) / prompts);
    const sequence = ids.slice(at, at + 48);
    const first = sequence.length - 1;
    const exact: Float32Array[] = [];
    for (let step = 0; step < length; step++) {
      const [row] = await whole.nextTokens(sequence, [sequence.length - 1]);
      exact.push(row!);
      sequence.push(best(row!));
    }
    const read = sequence.slice(0, -1);
    const found = new Map<string, Float32Array[]>();
    for (const engine of others) {
      const rows = await engine.steps(read, first);
      found.set(engine.name, rows);
      told.get(engine.name)!.push(firstDifference(exact, rows));
      distances.get(engine.name)!.push(distanceOf(exact, rows));
    }
    apart.push(firstDifference(found.get(theirs.name)!, found.get(ours.name)!));
    const soFar = [...[...told.values()].map((list) => list.at(-1)), apart.at(-1)];
    console.error(
      `prompt ${i + 1} of ${prompts}: ${soFar.map((margin) => margin?.toFixed(3) ?? "equal").join(" ")}`,
    );
  }
  for (const engine of others.slice(1, -1)) await engine.dispose();
  await whole.dispose();
  await rm(folder, { recursive: true });
  return {
    prompts,
    tokens_each: length,
    "against float32": Object.fromEntries([...told].map(([name, list]) => [name, summary(list)])),
    "distance from float32": Object.fromEntries([...distances].map(([name, list]) => [name, mean(list)])),
    "ours against llama.cpp": summary(apart),
  };
}

/** Nats that the reference gives its own token more than the other's; null: the same tokens throughout. */
type FirstDifference = number | null;

function firstDifference(
  reference: readonly Float32Array[],
  other: readonly Float32Array[],
): FirstDifference {
  for (const [index, row] of reference.entries()) {
    const [wanted, given] = [best(row), best(other[index]!)];
    if (wanted !== given) return row[wanted]! - row[given]!;
  }
  return null;
}

function summary(differences: readonly FirstDifference[]) {
  const margins = differences.filter((margin) => margin !== null).toSorted((a, b) => a - b);
  return {
    equal: differences.length - margins.length,
    margins_at_first_difference: margins.map((margin) => Number(margin.toFixed(3))),
    under_a_tenth: margins.filter((margin) => margin < 0.1).length,
  };
}

/** Every prompt has as many steps. */
function mean(distances: readonly Distance[]): Distance {
  const average = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = distances.map(({ likeliest_five }) => likeliest_five ** 2);
  return {
    likeliest_five: Number(Math.sqrt(average(squares)).toFixed(4)),
    divergence: Number(average(distances.map(({ divergence }) => divergence)).toFixed(5)),
  };
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
      of[key]["decode@3000"].push(await engine.decode(ids, 3000, 32));
      of[key]["prefill@512"].push(await engine.prefill(ids.slice(0, 512)));
    }
    console.error(`round ${i + 1} of ${rounds}`);
  }
  const rows = (["decode@128", "decode@1024", "decode@3000", "prefill@512"] as const).map((name) => {
    const [a, b] = [median(of.ours[name]), median(of.theirs[name])];
    return [name, { ours_ms: a, "llama.cpp_ms": b, ratio: b / a }] as const;
  });
  return Object.fromEntries(rows);
}

function empty() {
  return {
    "decode@128": [] as number[],
    "decode@1024": [] as number[],
    "decode@3000": [] as number[],
    "prefill@512": [] as number[],
  };
}

const counts = { windows: flag("windows", 8), prompts: flag("prompts", 20), rounds: flag("rounds", 5) };
const report = {
  machine: { cpu: os.cpus()[0]?.model, cores: os.cpus().length, load: os.loadavg()[0] },
  threads,
  ...(counts.windows > 0 ? { perplexity: await perplexities(counts.windows) } : {}),
  ...(counts.prompts > 0 ? { greedy: await greedyComparison(counts.prompts, flag("tokens", 24)) } : {}),
  ...(counts.rounds > 0 ? { speed: await speeds(counts.rounds) } : {}),
};
console.log(JSON.stringify(report, null, 2));
await theirs.dispose();
await ours.dispose();
