import { cpus, loadavg, totalmem } from "node:os";
import type { EvaluationEvent } from "../../core/evaluation.ts";
import { median, threeDigits } from "../../core/figures.ts";
import type { HeaderFacts } from "../../core/frame.ts";
import type { PackSummary } from "../../core/model-pack.ts";
import type { BenchPart, ModelInput } from "../api.ts";
import { promptFor } from "../bind-question.ts";
import { bindEvalModel } from "../bind-eval-model.ts";
import { readBandwidth } from "./bandwidth.ts";
import { bytesPerToken } from "./bytes-per-token.ts";
import { contexts, type Sample, textSpeed, timed } from "./text-speed.ts";
import { groundForced, groundingRequest } from "../eval/forced-answer.ts";
import { seededRandom } from "../evidence/noise.ts";
import type { LoadedPack } from "../loaded-pack.ts";
import { readDecoderGraph } from "../pack/read-pack.ts";
import { writtenParts } from "../prepare-question.ts";
import { type PromptReader, promptLength } from "../runtime/prompt-reader.ts";

/** What is measured: a language model, and the pack that answers about images with it where it is one. */
export interface BenchSubject extends Pick<LoadedPack, "folder" | "provider" | "language"> {
  readonly summary: Pick<PackSummary, "name" | "version" | "digest">;
  readonly answering: LoadedPack | null;
}

export interface BenchOptions {
  readonly rounds: number;
  /** What is measured; "bandwidth" needs the figures of "text". A language model alone has no images and no evidence. */
  readonly parts: readonly BenchPart[];
  /** A round before those that count, which makes what is made once (caches, buffers). */
  readonly warmUp: boolean;
  readonly threads: number;
}

/**
 * How fast a pack is on this machine: reading and saying text, the first token about a new image, a further question
 * about the same one, the evidence of one sentence, and how near decoding is to what the memory can give. Texts and
 * images are random: their content costs nothing. Medians over `rounds`; the evidence is tested once.
 * @throws cancelled, model-failed
 */
export async function* benchPack(
  subject: BenchSubject,
  { rounds, parts, warmUp, threads }: BenchOptions,
  signal: AbortSignal,
): AsyncGenerator<EvaluationEvent, void, void> {
  const { answering, language, provider } = subject;
  const samples: Sample[] = [];
  for (let round = warmUp ? 0 : 1; round <= rounds; round++) {
    yield { type: "progress", text: "speed", fraction: round / (rounds + 2), remaining_ms: null };
    const text = parts.includes("text") ? await textSpeed(language, signal) : {};
    const image = answering && parts.includes("image") ? await imageTimes(answering, round, signal) : {};
    if (round > 0) samples.push({ ...text, ...image });
  }
  yield { type: "progress", text: "evidence", fraction: (rounds + 1) / (rounds + 2), remaining_ms: null };
  const evidence = answering && parts.includes("evidence") ? await evidenceTime(answering, signal) : {};
  const { name, version, digest } = subject.summary;
  const names = Object.keys(samples[0] ?? {});
  const medians = Object.fromEntries(
    names.map((figure) => [figure, threeDigits(median(samples.map((sample) => sample[figure]!)))]),
  );
  const rss = Math.round(process.memoryUsage().rss / 1e6);
  const memory = parts.includes("bandwidth") ? await memoryBound(subject, threads, medians) : {};
  yield {
    type: "done",
    report: {
      machine: {
        processor: cpus()[0]?.model ?? "",
        cores: cpus().length,
        memory_gb: Math.round(totalmem() / 1e9),
        load: loadavg()[0],
      },
      pack: { name, version, digest },
      provider,
      threads,
      rounds,
      ...memory,
      engines: { ours: { ...medians, ...evidence, rss_mb: rss } },
    },
  };
}

/** How much of what the memory gives decoding behind the shortest context takes. */
async function memoryBound(
  { folder }: BenchSubject,
  threads: number,
  { [`decode@${contexts[0]}`]: tokensPerSecond }: Sample,
): Promise<{ bandwidth?: object }> {
  if (tokensPerSecond === undefined) return {};
  const graph = await readDecoderGraph(folder);
  const bytes = bytesPerToken(graph, contexts[0]);
  const rate = await readBandwidth(threads);
  return {
    bandwidth: {
      gb_s: threeDigits(rate),
      bound_fraction: threeDigits((bytes * tokensPerSecond) / (rate * 1e9)),
      bytes_per_token: bytes,
    },
  };
}

async function imageTimes(pack: LoadedPack, seed: number, signal: AbortSignal): Promise<Sample> {
  const reader = pack.readers.create();
  try {
    const started = performance.now();
    const images = await pack.encoder.encode([noiseImage(pack, seed)], signal);
    const ask = (question: string) => firstToken(pack, reader, { question, images }, signal);
    await ask("What does the image show?");
    const first = performance.now() - started;
    const followUp = await timed(() => ask("Is there anything else that is not normal?"));
    // As the window asks it: what stands before the last word was read while it was written.
    const written = "Which side is it on, and how large is it?";
    const parts = writtenParts(pack, { question: written.slice(0, -4), facts: factsOf(pack) }, images);
    await reader.read({ parts, rows: [] }, signal);
    const written_ms = await timed(() => ask(written));
    return { first_token_image_ms: first, follow_up_ms: followUp, follow_up_written_ms: written_ms };
  } finally {
    await reader.dispose();
  }
}

async function firstToken(
  pack: LoadedPack,
  reader: PromptReader,
  { question, images }: { question: string; images: Awaited<ReturnType<LoadedPack["encoder"]["encode"]>> },
  signal: AbortSignal,
): Promise<void> {
  const parts = promptFor(pack, { question, choices: null, facts: factsOf(pack) }, images);
  await reader.read({ parts, rows: [promptLength(parts) - 1] }, signal);
}

/** Of a sentence that is tested to its end, whatever is found. */
async function evidenceTime(pack: LoadedPack, signal: AbortSignal): Promise<Sample> {
  const reader = pack.readers.create();
  try {
    const model = bindEvalModel(pack, reader);
    const input = noiseImage(pack, 0);
    const content = { x: 0, y: 0, width: input.width, height: input.height };
    const view = { input, content, toFrame: (rectangle: typeof content) => rectangle };
    const question = { question: "Is there an abnormality?", choices: null, facts: factsOf(pack) };
    const answer = { question, text: "There is an abnormality.", view, seed: 0 };
    const options = { calibration: null, budgetSeconds: null, references: true };
    const started = performance.now();
    const { evaluations } = await groundForced(groundingRequest(model, answer, options), signal);
    const spent = performance.now() - started;
    return {
      grounding_sentence_ms: Math.round(spent),
      evaluations,
      evaluation_ms: Math.round(spent / Math.max(1, evaluations)),
    };
  } finally {
    await reader.dispose();
  }
}

function noiseImage({ image }: LoadedPack, seed: number): ModelInput {
  const random = seededRandom(seed + 1);
  const { width, height } = image;
  const pixels = Uint8Array.from({ length: width * height }, () => Math.floor(random() * 256));
  return { width, height, channels: 1, pixels };
}

/** An image that the pack is for. */
function factsOf({ summary }: LoadedPack): HeaderFacts {
  const [first] = summary.intendedFor;
  return {
    modality: first?.modalities[0] ?? null,
    bodyPart: first?.bodyParts[0] ?? null,
    view: first?.views[0] ?? null,
  };
}
