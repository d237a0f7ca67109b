import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { importModel } from "../../../models/import/import-model.ts";
import { checkPack } from "../../../models/pack/read-pack.ts";
import { OrtLanguageModel } from "../../../models/runtime/language-model.ts";
import { peakMemory } from "../app/memory.ts";
import { makeCheckpoint, meditron7b } from "./make-checkpoint.ts";

/** What one process does, so that the most memory it held is its own. */
export type Step =
  | { readonly step: "make"; readonly folder: string; readonly layers: number }
  | { readonly step: "import"; readonly folder: string; readonly packs: string }
  | { readonly step: "run"; readonly pack: string; readonly threads: number };

const never = new AbortController().signal;

export async function runStep(step: Step): Promise<Record<string, number>> {
  const started = performance.now();
  const figures =
    step.step === "make"
      ? { bytes: await makeCheckpoint(step.folder, { ...meditron7b, num_hidden_layers: step.layers }) }
      : step.step === "import"
        ? await importStep(step)
        : await decodeStep(step);
  const seconds = Math.round(performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage();
  // On a busy machine the time that was used says more than the time that went by.
  const processor_seconds = Math.round((user + system) / 1000) / 1000;
  return { ...figures, seconds, processor_seconds, peak_mib: (await peakMemory(process.pid)) ?? 0 };
}

async function importStep({ folder, packs }: Extract<Step, { step: "import" }>) {
  let told = 0;
  for await (const event of importModel({ source: folder, targetFolder: packs, name: "shape" }, never)) {
    if (event.type === "done") break;
    if (event.fraction < told + 0.02) continue;
    told = event.fraction;
    console.error(`import ${Math.round(told * 100)} %`);
  }
  let bytes = 0;
  for (const name of await readdir(path.join(packs, "shape"))) {
    bytes += (await stat(path.join(packs, "shape", name))).size;
  }
  return { pack_bytes: bytes };
}

const prompt = 128;
const tokens = 24;

async function decodeStep({ pack, threads }: Extract<Step, { step: "run" }>) {
  const checking = performance.now();
  const check = checkPack(pack, never);
  let step = await check.next();
  while (step.done !== true) step = await check.next();
  const check_s = (performance.now() - checking) / 1000;
  const { opened, graphs } = step.value;
  const { language } = opened.pack;
  if (language === null) throw new Error("no language model");
  const loading = performance.now();
  const model = await OrtLanguageModel.open(
    { ...graphs, vocabulary: language.vocabulary, contextLength: language.context_length },
    { provider: null, threads },
  );
  const load_s = (performance.now() - loading) / 1000;
  const loaded_mib = process.memoryUsage.rss() / 2 ** 20;
  const cache = model.createCache();
  const ids = Array.from({ length: prompt }, (_, i) => (i * 7919) % language.vocabulary);
  const reading = performance.now();
  let row = await model.forward(
    { cache, embeddings: await model.embed(ids, never), rows: [prompt - 1] },
    never,
  );
  const prefill_s = (performance.now() - reading) / 1000;
  const times: number[] = [];
  for (let i = 0; i < tokens; i++) {
    const begun = performance.now();
    const next = row.reduce((best, value, id) => (value > (row[best] as number) ? id : best), 0);
    row = await model.forward({ cache, embeddings: await model.embed([next], never), rows: [0] }, never);
    times.push(performance.now() - begun);
  }
  const running_mib = process.memoryUsage.rss() / 2 ** 20;
  await cache.dispose();
  await model.dispose();
  const median = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] as number;
  return {
    check_s,
    load_s,
    loaded_mib,
    running_mib,
    prefill_tokens_per_s: prompt / prefill_s,
    decode_tokens_per_s: 1000 / median,
  };
}
