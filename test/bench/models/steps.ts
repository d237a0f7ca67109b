import { existsSync, readFileSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { importModel } from "../../../models/import/import-model.ts";
import type { KeyValuePrecision } from "../../../models/import/pack-precision.ts";
import { checkPack } from "../../../models/pack/read-pack.ts";
import type { Pack } from "../../../models/pack/pack-schema.ts";
import type { LanguageModel } from "../../../models/runtime/backend.ts";
import type { GraphSource } from "../../../models/runtime/engine.ts";
import { openPreparedLanguage } from "../../../models/runtime/open-prepared.ts";
import { PreparedWeights, processorName } from "../../../models/runtime/prepared-weights.ts";
import { openCRuntime } from "../../../models/runtime/runtime.ts";
import { OrtVisionModel } from "../../../models/runtime/vision-model.ts";
import { peakMemory } from "../app/memory.ts";
import { makeCheckpoint, type ShapeRequest } from "./make-checkpoint.ts";

/** What one process does, so that the most memory it held is its own. */
export type Step =
  | { readonly step: "make"; readonly folder: string; readonly request: ShapeRequest }
  | {
      readonly step: "import";
      readonly folder: string;
      readonly packs: string;
      readonly kvCache: KeyValuePrecision;
    }
  /** `prepared`: the folder in which decoders are kept as they were prepared for this machine. */
  | { readonly step: "run"; readonly pack: string; readonly threads: number; readonly prepared: string };

const never = new AbortController().signal;

export async function runStep(step: Step): Promise<Record<string, number>> {
  const started = performance.now();
  const figures =
    step.step === "make"
      ? { bytes: await makeCheckpoint(step.folder, step.request) }
      : step.step === "import"
        ? await importStep(step)
        : await decodeStep(step);
  const seconds = Math.round(performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage();
  // On a busy machine the time that was used says more than the time that went by.
  const processor_seconds = Math.round((user + system) / 1000) / 1000;
  return { ...figures, seconds, processor_seconds, peak_mib: (await peakMemory(process.pid)) ?? 0 };
}

async function importStep({ folder, packs, kvCache }: Extract<Step, { step: "import" }>) {
  let told = { stage: "weights", fraction: 0 };
  const bases = path.join(folder, "base-configs.json");
  const baseConfig = existsSync(bases) ? bases : null;
  const input = { source: folder, targetFolder: packs, name: "shape", baseConfig, kvCache };
  for await (const event of importModel(input, never)) {
    if (event.type === "done") break;
    if (event.stage === told.stage && event.fraction < told.fraction + 0.02) continue;
    told = event;
    console.error(`import ${event.stage} ${Math.round(event.fraction * 100)} %`);
  }
  let bytes = 0;
  for (const name of await readdir(path.join(packs, "shape"))) {
    bytes += (await stat(path.join(packs, "shape", name))).size;
  }
  return { pack_bytes: bytes };
}

const prompt = 128;
const tokens = 24;

async function decodeStep({ pack, threads, prepared }: Extract<Step, { step: "run" }>) {
  const checking = performance.now();
  const check = checkPack(pack, never);
  let step = await check.next();
  while (step.done !== true) step = await check.next();
  const check_s = (performance.now() - checking) / 1000;
  const { opened, graphs } = step.value;
  const { language } = opened.pack;
  if (language === null) throw new Error("no language model");
  const loading = performance.now();
  const image = graphs.vision === null ? null : await openVision(opened.pack, graphs.vision, threads);
  const runtime = await openCRuntime();
  const options = { folder: prepared, version: runtime.version, processor: await processorName() };
  const weights = new PreparedWeights(options);
  const bytes = async () => opened.pack.files.reduce((sum, file) => sum + file.bytes, 0);
  const { vocabulary, context_length: contextLength } = language;
  const source = { ...graphs, vocabulary, contextLength };
  const model = await openPreparedLanguage(
    runtime,
    { source, options: { provider: null, threads } },
    { weights, digest: opened.digest, bytes },
  );
  const load_s = (performance.now() - loading) / 1000;
  const loaded_mib = process.memoryUsage.rss() / 2 ** 20;
  const loaded_own_mib = ownMemory();
  const encoding: Record<string, number> = image === null ? {} : { image_s: await image.encode() };
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
  const stop_prefill_ms = await slowestStop(model, 128);
  const stop_decode_ms = await slowestStop(model, 1);
  await model.dispose();
  await image?.dispose();
  const median = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] as number;
  return {
    check_s,
    load_s,
    ...encoding,
    loaded_mib,
    loaded_own_mib,
    running_mib,
    prefill_tokens_per_s: prompt / prefill_s,
    decode_tokens_per_s: 1000 / median,
    stop_prefill_ms,
    stop_decode_ms,
  };
}

/** MiB that are not pages of files, which the system can take back (proc(5), RssAnon). */
function ownMemory(): number {
  return Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024;
}

/** Milliseconds between an abort, at eight moments of a run over so many tokens, and its end; the longest. */
async function slowestStop(model: LanguageModel, count: number): Promise<number> {
  const cache = model.createCache();
  const embeddings = await model.embed(Array<number>(count).fill(7), never);
  const started = performance.now();
  await model.forward({ cache, embeddings, rows: [] }, never);
  const whole = performance.now() - started;
  const waits: number[] = [];
  for (let part = 1; part <= 8; part++) {
    const stop = new AbortController();
    const running = model.forward({ cache, embeddings, rows: [] }, stop.signal).then(
      () => null,
      () => performance.now(),
    );
    await setTimeout((whole * part) / 9);
    const asked = performance.now();
    stop.abort();
    const ended = await running;
    if (ended !== null) waits.push(ended - asked);
  }
  await cache.dispose();
  return Math.max(...waits);
}

/** The image encoder of a pack; `encode`: seconds for one image of noise. */
async function openVision(pack: Pack, graph: GraphSource, threads: number) {
  if (pack.kind !== "vision-language" || pack.language === null) throw new Error("no image encoder");
  const { width, height, tokens: imageTokens } = pack.image;
  const { hidden } = pack.language;
  const vision = await OrtVisionModel.open(
    { graph, width, height, tokens: imageTokens, hidden },
    { provider: null, threads },
  );
  return {
    async encode(): Promise<number> {
      const pixels = Float32Array.from({ length: 3 * width * height }, (_, i) => Math.sin(i));
      const begun = performance.now();
      await vision.encode(pixels, 1, never);
      return (performance.now() - begun) / 1000;
    },
    dispose: () => vision.dispose(),
  };
}
