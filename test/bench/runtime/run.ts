import { fileURLToPath } from "node:url";
import { bindQuestion } from "../../../models/bind-question.ts";
import { prepareView } from "../../../models/image/prepare-view.ts";
import type { LoadedPack } from "../../../models/loaded-pack.ts";
import { openPack } from "../../../models/open-pack.ts";
import { findPacks } from "../../../models/pack/read-pack.ts";
import { openBindingRuntime, openCRuntime, type Runtime } from "../../../models/runtime/runtime.ts";
import { normals } from "../../unit/models/tiny-decoder.ts";
import { tinyRequest } from "../../unit/models/tiny-pack.ts";

/**
 * Both runtimes on the embedded pack, in turn: reading a prompt, decoding, one evaluation of evidence, and how soon a
 * stopped call lets its caller go and the runtime is free again. Prints medians as one line of JSON.
 * Usage, after npm run build: node scripts/run-ts.mjs test/bench/runtime/run.ts [THREADS] [ROUNDS]
 */
const [threads = "2", roundsText = "3"] = process.argv.slice(2);
const rounds = Number(roundsText);
const { signal: never } = new AbortController();
const promptTokens = 128;
const answerTokens = 64;

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const rounded = (value: number) => Math.round(value * 10) / 10;

async function timed<Value>(work: () => Promise<Value>): Promise<[number, Value]> {
  const started = performance.now();
  const value = await work();
  return [performance.now() - started, value];
}

async function measure(runtime: Runtime): Promise<Record<string, number>> {
  const packs = fileURLToPath(new URL("../../../models/packs", import.meta.url));
  const installed = (await findPacks([packs], never)).find(({ summary }) => summary.embedded)!;
  const options = { name: "cpu", provider: null, threads: Number(threads), runtime };
  const [openMs, pack] = await timed(() => openPack(installed, options, never));
  const all: Record<string, number[]> = {};
  // What openPack still does in the background ends in the first round, which does not count.
  for (let round = 0; round <= rounds; round += 1) {
    const note: Note = (name, value) => {
      if (round > 0) (all[name] ??= []).push(value);
    };
    await decode(pack, note);
    await evaluate(pack, note);
    await stop(pack, note);
    await stopStep(pack, note);
  }
  await pack.dispose();
  const figures = Object.entries(all).map(([name, values]) => [name, rounded(median(values))]);
  return { openMs: rounded(openMs), ...Object.fromEntries(figures) };
}

type Note = (name: string, value: number) => void;

async function decode({ language }: LoadedPack, note: Note): Promise<void> {
  const ids = Array.from({ length: promptTokens }, (_, i) => 100 + i);
  const cache = language.createCache();
  const embeddings = await language.embed(ids, never);
  const [promptMs] = await timed(() =>
    language.forward({ cache, embeddings, rows: [promptTokens - 1] }, never),
  );
  note("promptTokensPerSecond", (1000 * promptTokens) / promptMs);
  const [answerMs] = await timed(async () => {
    for (let i = 0; i < answerTokens; i += 1) {
      const one = await language.embed([200 + i], never);
      await language.forward({ cache, embeddings: one, rows: [0] }, never);
    }
  });
  note("tokensPerSecond", (1000 * answerTokens) / answerMs);
  await cache.dispose();
}

/** Encodes an image and scores two sentences about it: what evidence does some hundred times. */
async function evaluate(pack: LoadedPack, note: Note): Promise<void> {
  const { view, frame } = tinyRequest().views[0]!;
  const random = normals(performance.now());
  const values = Uint8Array.from(frame.values, () => 128 + 40 * random());
  const facts = { modality: "CR", bodyPart: "HAND", view: null };
  const reader = pack.readers.borrow();
  const model = bindQuestion(pack, { question: "Is there a fracture?", choices: null, facts }, reader);
  const continuations = ["There is a fracture.", "There is no fracture."].map((text) => ({
    prefix: "",
    text,
  }));
  const [evaluationMs] = await timed(async () => {
    const images = await model.encode([prepareView(view, { ...frame, values }, pack.image).input], never);
    return model.score({ alternatives: [images], continuations }, never);
  });
  note("evaluationMs", evaluationMs);
  await pack.readers.giveBack(reader);
}

/** A step of an answer, stopped at moments of all of it. */
async function stopStep({ language }: LoadedPack, note: Note): Promise<void> {
  const cache = language.createCache();
  const embeddings = await language.embed(
    Array.from({ length: 64 }, (_, i) => 100 + i),
    never,
  );
  await language.forward({ cache, embeddings, rows: [63] }, never);
  const one = await language.embed([200], never);
  let longest = 0;
  for (let wait = 0; wait < 20; wait += 2) {
    const controller = new AbortController();
    const running = language
      .forward({ cache, embeddings: one, rows: [0] }, controller.signal)
      .catch(() => null);
    await new Promise((resolve) => setTimeout(resolve, wait));
    const stopped = performance.now();
    controller.abort();
    await running;
    longest = Math.max(longest, performance.now() - stopped);
    cache.truncate(64);
  }
  note("stopStepLongestMs", longest);
  await cache.dispose();
}

async function stop({ language }: LoadedPack, note: Note): Promise<void> {
  const embeddings = await language.embed(
    Array.from({ length: 512 }, (_, i) => 100 + i),
    never,
  );
  const cache = language.createCache();
  const controller = new AbortController();
  const running = language.forward({ cache, embeddings, rows: [511] }, controller.signal).catch(() => null);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const stopped = performance.now();
  controller.abort();
  await running;
  note("stopMs", performance.now() - stopped);
  await language.embed([1], never);
  note("freeAfterStopMs", performance.now() - stopped);
  await cache.dispose();
}

console.log(
  JSON.stringify({
    threads: Number(threads),
    rounds,
    cInterface: await measure(await openCRuntime()),
    binding: await measure(await openBindingRuntime("For the bench.", () => undefined)),
  }),
);
process.exit(0);
