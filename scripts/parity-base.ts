import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { importModel } from "../models/import/import-model.ts";
import { checkPack } from "../models/pack/read-pack.ts";
import { OrtLanguageModel } from "../models/runtime/language-model.ts";

/**
 * npm run parity:base -- --gguf FILE [--pack FOLDER]
 * Imports the GGUF in full precision and compares it with what HF transformers computes from the same file
 * (test/fixtures/models/smollm2-logits.json); with --pack, a pack instead. Ends with 1 above 1e-3.
 */
interface Entry {
  readonly ids: readonly number[];
  readonly rows: readonly { readonly at: readonly number[]; readonly values: readonly number[] }[];
  readonly greedy: readonly number[];
}

const signal = new AbortController().signal;
const argument = (name: string) => process.argv[process.argv.indexOf(name) + 1];
const gguf = process.argv.includes("--gguf") ? argument("--gguf") : undefined;
const pack = process.argv.includes("--pack") ? argument("--pack") : undefined;
if (gguf === undefined && pack === undefined) {
  console.error("usage: npm run parity:base -- --gguf FILE | --pack FOLDER");
  process.exit(2);
}
const fixture = JSON.parse(await readFile("test/fixtures/models/smollm2-logits.json", "utf8")) as Entry[];
const work = await mkdtemp(path.join(tmpdir(), "meditron-parity-"));
try {
  process.exitCode = await compare(pack ?? (await fullPrecision(gguf as string)));
} finally {
  await rm(work, { recursive: true, force: true });
}

async function fullPrecision(source: string): Promise<string> {
  const input = { source, targetFolder: work, name: "whole", precision: "float32" } as const;
  for await (const event of importModel(input, signal)) if (event.type === "done") break;
  return path.join(work, "whole");
}

async function compare(folder: string): Promise<number> {
  const check = checkPack(folder, signal);
  let step = await check.next();
  while (step.done !== true) step = await check.next();
  const { opened, graphs } = step.value;
  const { language } = opened.pack;
  if (language === null) throw new Error("the pack has no language model of its own");
  const model = await OrtLanguageModel.open(
    { ...graphs, vocabulary: language.vocabulary, contextLength: language.context_length },
    { provider: null, threads: 2 },
  );
  let worst = 0;
  let equal = 0;
  for (const entry of fixture) {
    const flat = await logits(model, entry.ids);
    entry.rows.forEach(({ at, values }, row) => {
      const largest = Math.max(...values.map(Math.abs));
      at.forEach((index, i) => {
        const ours = flat[row * model.vocabulary + index] as number;
        worst = Math.max(worst, Math.abs(ours - (values[i] as number)) / largest);
      });
    });
    const said = await greedy(model, entry.ids, entry.greedy.length);
    equal += said.findIndex((token, i) => token !== entry.greedy[i]) < 0 ? 1 : 0;
  }
  await model.dispose();
  const passed = worst < 1e-3 && equal === fixture.length;
  console.log(
    JSON.stringify({ sequences: fixture.length, relative_difference: worst, greedy_equal: equal, passed }),
  );
  return passed ? 0 : 1;
}

async function logits(model: OrtLanguageModel, ids: readonly number[]): Promise<Float32Array> {
  const cache = model.createCache();
  const flat = await model.forward(
    { cache, embeddings: await model.embed(ids, signal), rows: ids.map((_, i) => i) },
    signal,
  );
  await cache.dispose();
  return flat;
}

async function greedy(model: OrtLanguageModel, ids: readonly number[], count: number): Promise<number[]> {
  const cache = model.createCache();
  const said: number[] = [];
  let next = ids;
  while (said.length < count) {
    const row = await model.forward(
      { cache, embeddings: await model.embed(next, signal), rows: [next.length - 1] },
      signal,
    );
    const best = row.reduce((at, value, i) => (value > (row[at] as number) ? i : at), 0);
    said.push(best);
    next = [best];
  }
  await cache.dispose();
  return said;
}
