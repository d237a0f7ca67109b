import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { median } from "../../../core/figures.ts";
import { openLanguage } from "../../unit/models/open-language.ts";

/**
 * node scripts/run-ts.mjs test/bench/llm/profile.ts PACK [--context N] [--threads N] [--entry KEY=VALUE …]
 *
 * Where the time of one decoded token goes, by ONNX Runtime's own profile: milliseconds a token of each group of
 * kernels (layers' matrices by their part in the layer, attention, norms, the rest), what lies between kernels, and
 * what the profile itself costs (the same steps without it). `--entry` sets the session's configuration entries.
 */
const [pack, ...flags] = process.argv.slice(2);
if (pack === undefined) {
  console.error("usage: test/bench/llm/profile.ts PACK [--context N] [--threads N] [--entry KEY=VALUE …]");
  process.exit(2);
}
const given = (name: string) => flags.filter((_, at) => flags[at - 1] === `--${name}`);
const context = Number(given("context")[0] ?? 128);
const threads = Number(given("threads")[0] ?? os.availableParallelism());
const entries = Object.fromEntries(given("entry").map((entry) => entry.split("=") as [string, string]));
const steps = 48;
const { signal } = new AbortController();

/** Milliseconds of each step. */
async function decode(profile?: string): Promise<number[]> {
  const { model } = await openLanguage(pack!, {
    session: { threads, entries, ...(profile ? { profile } : {}) },
  });
  const cache = model.createCache();
  const ids = Array.from({ length: context }, (_, i) => (i * 7919 + 101) % model.vocabulary);
  await model.forward({ cache, embeddings: await model.embed(ids, signal), rows: [] }, signal);
  const times: number[] = [];
  for (let step = 0; step < steps; step++) {
    const embeddings = await model.embed([101 + step], signal);
    const started = performance.now();
    await model.forward({ cache, embeddings, rows: [0] }, signal);
    times.push(performance.now() - started);
  }
  await cache.dispose();
  await model.dispose();
  return times;
}

interface Event {
  readonly cat: string;
  readonly name: string;
  readonly dur: number;
  readonly ts: number;
  readonly args?: { readonly op_name?: string };
}

/** What a kernel does in the model, by its operator and the end of its node's name. */
function groupOf({ name, args }: Event): string {
  const operator = args?.op_name ?? "";
  if (operator !== "MatMulNBits") return operator;
  return `MatMulNBits ${name.replace(/_kernel_time$/, "").replace(/\d+/g, "N")}`;
}

async function kernelTimes(file: string): Promise<Record<string, number>> {
  const events = JSON.parse(await readFile(file, "utf8")) as Event[];
  const runs = events
    .filter(({ name }) => name === "model_run")
    .toSorted((a, b) => a.ts - b.ts)
    .slice(-steps);
  const [first] = runs;
  if (!first) throw new Error("the profile names no run");
  const kernels = events.filter(
    ({ cat, name, ts }) => cat === "Node" && name.endsWith("_kernel_time") && ts >= first.ts,
  );
  const sums = new Map<string, number>();
  for (const kernel of kernels) sums.set(groupOf(kernel), (sums.get(groupOf(kernel)) ?? 0) + kernel.dur);
  const inKernels = [...sums.values()].reduce((sum, one) => sum + one, 0);
  const inRuns = runs.reduce((sum, { dur }) => sum + dur, 0);
  const table = [...sums, ["between kernels", inRuns - inKernels] as const]
    .toSorted(([, a], [, b]) => b - a)
    .map(([group, microseconds]) => [group, Math.round(microseconds / steps) / 1000] as const);
  return Object.fromEntries(table);
}

const folder = await mkdtemp(path.join(os.tmpdir(), "bench-profile-"));
try {
  const plain = median(await decode());
  const profiled = median(await decode(path.join(folder, "profile")));
  // The decoder's file is the largest: the table of tokens has one kernel.
  const files = (await readdir(folder)).map((name) => path.join(folder, name));
  const sized = await Promise.all(files.map(async (file) => ({ file, text: (await readFile(file)).length })));
  const { file } = sized.toSorted((a, b) => b.text - a.text)[0]!;
  const kernels_ms = await kernelTimes(file);
  console.log(
    JSON.stringify({ context, threads, entries, step_ms: plain, profiled_ms: profiled, kernels_ms }, null, 2),
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}
