import { appError } from "../../core/errors.ts";
import type { EvaluationEvent, EvaluationInput } from "../../core/evaluation.ts";
import type { LoadedView } from "../api.ts";
import { calibrate, calibrationFiles, planCalibration } from "./calibrate.ts";
import { cardFigures, type MeasuredFigure } from "./card-figures.ts";
import { openCaseStore } from "./case-store.ts";
import { readDataSets } from "./data-sets.ts";
import type { EvalModel } from "./eval-model.ts";
import { evaluateRates, planRates, rateFiles } from "./grounding-rate.ts";
import { imageShelf } from "./image-shelf.ts";
import { evaluateLook, lookFiles } from "./look.ts";
import { measuredDigest, writeFigures } from "./pack-file.ts";
import { evaluateTiming, planTiming, timingFiles } from "./timing.ts";
import { searchName } from "../evidence/map.ts";

/** The image files that `meditron eval KIND` needs, absolute. @throws file-not-found, bad-input */
export async function planEvaluation(input: EvaluationInput): Promise<string[]> {
  const { kind, data, limit, shard } = input;
  if (shard !== null && kind !== "calibrate" && kind !== "grounding") {
    throw appError("bad-input", "Only calibrate and grounding run in parts (--shard).");
  }
  if (kind === "look") return lookFiles(data, limit);
  const images = await readDataSets(data);
  if (kind === "calibrate") return calibrationFiles(shardOf(planCalibration(images, limit), shard));
  if (kind === "grounding") return rateFiles(shardOf(planRates(images, limit), shard));
  return timingFiles(planTiming(images, limit));
}

/** Every nth case of each list of a plan. */
function shardOf<Plan extends Readonly<Record<keyof Plan, readonly unknown[]>>>(
  plan: Plan,
  shard: EvaluationInput["shard"],
): Plan {
  if (shard === null) return plan;
  const belongs = (_: unknown, index: number) => index % shard.count === shard.number - 1;
  const lists = Object.entries<readonly unknown[]>(plan);
  return Object.fromEntries(lists.map(([name, list]) => [name, list.filter(belongs)])) as unknown as Plan;
}

/** Runs one evaluation on a loaded pack; `loaded` holds one view a planned file, in that order. */
export async function* evaluate(
  { input, model, loaded }: { input: EvaluationInput; model: EvalModel; loaded: readonly LoadedView[] },
  signal: AbortSignal,
): AsyncGenerator<EvaluationEvent, void, void> {
  const { kind, data, limit, shard } = input;
  const shelf = imageShelf(model, await planEvaluation(input), loaded);
  const about = { pack: model.pack, provider: model.provider, kind, search: searchName };
  for await (const event of await start()) {
    if (event.type === "done") {
      const { card, ...report } = event.report;
      const figures = cardFigures(kind, model.pack.name, (card ?? []) as MeasuredFigure[]);
      if (input.write && figures.length > 0) await writeFigures(model.folder, figures);
      yield {
        type: "done",
        report: { ...about, ...report, ...(figures.length > 0 ? { card: figures } : {}) },
      };
    } else yield event;
  }

  async function start(): Promise<AsyncGenerator<EvaluationEvent, void, void>> {
    if (kind === "look") return evaluateLook({ model, shelf, data, limit }, signal);
    const images = await readDataSets(data);
    // Thresholds change the states: the cases of another calibration are not taken over.
    const run = [
      kind,
      searchName,
      await measuredDigest(model.folder),
      JSON.stringify(kind === "grounding" ? model.calibration : null),
    ];
    const store = await openCaseStore(input.state, run.join("|"));
    const common = { model, shelf, store, partOnly: shard !== null };
    if (kind === "calibrate") {
      const plan = shardOf(planCalibration(images, limit), shard);
      return calibrate({ ...common, plan, limit, write: input.write }, signal);
    }
    if (kind === "grounding") {
      return evaluateRates({ ...common, plan: shardOf(planRates(images, limit), shard) }, signal);
    }
    return evaluateTiming({ model, shelf, pairs: planTiming(images, limit) }, signal);
  }
}
