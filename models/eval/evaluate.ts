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
import { writeFigures } from "./pack-file.ts";
import { evaluateTiming, planTiming, timingFiles } from "./timing.ts";
import { searchName } from "../evidence/map.ts";

/** The image files that `meditron eval KIND` needs, absolute. @throws file-not-found, bad-input */
export async function planEvaluation({ kind, data, limit }: EvaluationInput): Promise<string[]> {
  if (kind === "look") return lookFiles(data, limit);
  const images = await readDataSets(data);
  if (kind === "calibrate") return calibrationFiles(planCalibration(images, limit));
  if (kind === "grounding") return rateFiles(planRates(images, limit));
  return timingFiles(planTiming(images, limit));
}

/** Runs one evaluation on a loaded pack; `loaded` holds one view a planned file, in that order. */
export async function* evaluate(
  { input, model, loaded }: { input: EvaluationInput; model: EvalModel; loaded: readonly LoadedView[] },
  signal: AbortSignal,
): AsyncGenerator<EvaluationEvent, void, void> {
  const { kind, data, limit } = input;
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
      model.pack.digest,
      JSON.stringify(kind === "grounding" ? model.calibration : null),
    ];
    const store = await openCaseStore(input.state, run.join("|"));
    if (kind === "calibrate") {
      return calibrate(
        { model, shelf, plan: planCalibration(images, limit), store, write: input.write },
        signal,
      );
    }
    if (kind === "grounding")
      return evaluateRates({ model, shelf, plan: planRates(images, limit), store }, signal);
    return evaluateTiming({ model, shelf, pairs: planTiming(images, limit) }, signal);
  }
}
