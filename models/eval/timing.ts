import { availableParallelism, cpus } from "node:os";
import type { EvaluationEvent } from "../../core/evaluation.ts";
import type { DataImage } from "./data-sets.ts";
import type { EvalModel } from "./eval-model.ts";
import { type ForcedAnswer, groundForced, groundingRequest } from "./forced-answer.ts";
import { groupedBy } from "./grouped-by.ts";
import type { ImageShelf } from "./image-shelf.ts";
import { pace } from "./pace.ts";
import { type Pair, truePairs } from "./pairs.ts";
import { percentile } from "./statistics.ts";

/** How long grounding takes on this machine: from the answer to its first progress, reliance, map and final state. */
const answers = 6;

export function planTiming(images: readonly DataImage[], limit: number | null): Pair[] {
  const bySet = groupedBy(truePairs(images, "report"), ({ source }) => source.set);
  const each = Math.max(1, Math.ceil((limit ?? answers) / bySet.size));
  return [...bySet.values()].flatMap((pairs) => pairs.slice(0, each));
}

export function timingFiles(pairs: readonly Pair[]): string[] {
  return [...new Set(pairs.map(({ shown }) => shown.path))];
}

export async function* evaluateTiming(
  { model, shelf, pairs }: { model: EvalModel; shelf: ImageShelf; pairs: readonly Pair[] },
  signal: AbortSignal,
): AsyncGenerator<EvaluationEvent, void, void> {
  const progress = pace(pairs.length);
  const times: Record<string, number>[] = [];
  const started = performance.now();
  await model.readReferences(signal);
  const referencesMs = Math.round(performance.now() - started);
  for (const pair of pairs) {
    const claim = pair.source.claims[pair.finding]!;
    const question = { question: claim.question, choices: null, facts: pair.source.facts };
    const answer = { question, text: claim.present, view: shelf.view(pair.shown), seed: 0 };
    await readAnswer(model, answer, signal);
    // Every state is computed to its end, as for an answer whose sentences all rely on the image.
    const request = groundingRequest(model, answer, {
      calibration: null,
      budgetSeconds: null,
      references: true,
    });
    const { events, evaluations } = await groundForced(request, signal);
    const first = (test: (event: (typeof events)[number]) => boolean) =>
      events.find(test)?.at_ms ?? Number.NaN;
    times.push({
      first_progress_ms: first(({ type }) => type === "progress"),
      reliance_ms: first(({ type }) => type === "evidence"),
      coarse_map_ms: first((event) => event.type === "evidence" && event.evidence.maps.length > 0),
      final_ms: events.at(-1)!.at_ms,
      evaluations,
      evaluation_ms: events.flatMap((event) => (event.type === "done" ? [event.evaluation_ms] : []))[0] ?? 0,
    });
    yield progress.step(`${pair.source.set} ${pair.source.file}`);
  }
  const figure = (name: string) => {
    const values = times.map((one) => one[name]!);
    return { median: Math.round(percentile(values, 0.5)), worst: Math.round(Math.max(...values)) };
  };
  const names = Object.keys(times[0] ?? {});
  yield {
    type: "done",
    report: {
      answers: times.length,
      machine: { processor: cpus()[0]?.model ?? "", cores: availableParallelism() },
      provider: model.provider,
      // Once a loaded pack, ahead of the questions.
      references_ms: referencesMs,
      figures: Object.fromEntries(names.map((name) => [name, figure(name)])),
    },
  };
}

/** As in the app: when an answer has been said, its image and question have been read. */
async function readAnswer(
  model: EvalModel,
  { question, text, view }: ForcedAnswer,
  signal: AbortSignal,
): Promise<void> {
  const bound = model.bind(question);
  const shown = await bound.encode([view.input], signal);
  await bound.score({ alternatives: [shown], continuations: [{ prefix: "", text }] }, signal);
}
