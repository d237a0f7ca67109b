import * as v from "valibot";
import { appError } from "../../core/errors.ts";
import type { EvaluationEvent } from "../../core/evaluation.ts";
import { type Calibration, calibrationSchema, leastNullAnswers } from "../evidence/calibration.ts";
import { searchName } from "../evidence/map.ts";
import { planStand, standsOf } from "../evidence/stand.ts";
import { standsAlone } from "../evidence/stands-alone.ts";
import { answerSentences } from "../evidence/answer-sentences.ts";
import { splitSentences } from "../text/sentences.ts";
import type { CaseStore } from "./case-store.ts";
import type { DataImage } from "./data-sets.ts";
import type { EvalModel } from "./eval-model.ts";
import { type ForcedAnswer, groundForced, groundingRequest } from "./forced-answer.ts";
import type { ImageShelf } from "./image-shelf.ts";
import { groupedBy } from "./grouped-by.ts";
import { pace } from "./pace.ts";
import { writeCalibration } from "./pack-file.ts";
import { alternated, inTurn, type Pair, shuffled, truePairs, wrongPairs } from "./pairs.ts";
import { fitLogistic, fitTemperature, groupBootstrap, percentile, share } from "./statistics.ts";
import { wrongImage } from "./wrong-images.ts";

/**
 * The `calibration` block of a pack (docs/grounding.md, GRD-10, GRD-15), from the tune part: neither trained on nor
 * reported on.
 */
const reliancePairs = 200;
/** A kind of image has thresholds on reliance of its own from this many true, and wrong, pairs on. */
const leastReliancePairs = 20;
const polarImages = 120;
/** So much of the wrong pairs may pass the threshold on reliance. */
const wrongAllowed = 0.05;

interface CalibrationPlan {
  readonly reliance: readonly Pair[];
  readonly region: readonly Pair[];
  readonly polar: readonly { readonly image: DataImage; readonly finding: string; readonly truth: boolean }[];
}

/** Each image set gets as many pairs, so that each kind of image can have a null of its own; `limit`: a set. */
export function planCalibration(images: readonly DataImage[], limit: number | null): CalibrationPlan {
  const pairs = Math.min(limit ?? leastNullAnswers, leastNullAnswers);
  const half = Math.round(Math.min(limit ?? reliancePairs, reliancePairs) / 2);
  const sets = [...groupedBy(images, ({ set }) => set).values()];
  const fromEach = (pairsOf: (ofSet: readonly DataImage[]) => Pair[]) => alternated(sets.map(pairsOf));
  const tune = images.filter((image) => image.part === "tune");
  const polar = tune.flatMap((image) =>
    Object.entries(image.findings).flatMap(([finding, truth]) =>
      image.claims[finding] === undefined ? [] : [{ image, finding, truth }],
    ),
  );
  const count = Math.min(limit === null ? polarImages : limit * sets.length, polarImages);
  return {
    reliance: [
      ...fromEach((ofSet) => inTurn(shuffled(truePairs(ofSet, "tune"), 5)).slice(0, half)),
      ...fromEach((ofSet) => wrongPairs(ofSet, "tune", half)),
    ],
    region: fromEach((ofSet) => wrongPairs(ofSet, "tune", pairs)),
    polar: [true, false].flatMap((truth) =>
      shuffled(
        polar.filter((one) => one.truth === truth),
        7,
      ).slice(0, Math.round(count / 2)),
    ),
  };
}

export function calibrationFiles(plan: CalibrationPlan): string[] {
  const pairs = [...plan.reliance, ...plan.region].flatMap(({ source, shown }) => [source.path, shown.path]);
  return [...new Set([...pairs, ...plan.polar.map(({ image }) => image.path)])];
}

interface CalibrateInput {
  readonly model: EvalModel;
  readonly shelf: ImageShelf;
  readonly plan: CalibrationPlan;
  /** As the plan was made with it. */
  readonly limit: number | null;
  readonly store: CaseStore;
  /** Measures and keeps the cases, without a calibration of them. */
  readonly partOnly: boolean;
  readonly write: boolean;
}

/** @throws bad-input where a calibration is to be written that the app would not take */
export async function* calibrate(
  input: CalibrateInput,
  signal: AbortSignal,
): AsyncGenerator<EvaluationEvent, void, void> {
  const { plan, store, model } = input;
  if (input.write && (input.partOnly || plan.region.length < leastNullAnswers)) {
    throw appError(
      "bad-input",
      `A calibration is written only with all of its ${leastNullAnswers} wrong answers: leave out --limit and --shard, and give enough images.`,
    );
  }
  const progress = pace(plan.reliance.length + plan.region.length + plan.polar.length);

  const reliance: MeasuredPair[] = [];
  for (const pair of plan.reliance) {
    const nats = await kept(store, `reliance/${pair.key}`, () => measureRelianceOf(input, pair, signal));
    reliance.push({ of: model.kindOf(pair.source.facts), kind: pair.kind, nats });
    yield progress.step(`reliance ${pair.key}`);
  }
  const polar: { x: number; truth: boolean }[] = [];
  for (const one of plan.polar) {
    const key = `polar/${one.image.set}/${one.image.file}/${one.finding}`;
    polar.push({ x: await kept(store, key, () => measurePolar(input, one, signal)), truth: one.truth });
    yield progress.step(key);
  }
  const effects: NullEffect[] = [];
  for (const pair of plan.region) {
    const effect = await kept(store, `null/${pair.key}`, () => measureNull(input, pair, signal));
    const { present, question } = pair.source.claims[pair.finding]!;
    const { length: sentences } = answerSentences(present, question);
    const { kind, source, shown } = pair;
    effects.push({ of: model.kindOf(source.facts), kind, group: shown.group, effect, sentences });
    yield progress.step(`null ${pair.key}`);
  }

  if (input.partOnly) {
    yield { type: "done", report: { cases: plan.reliance.length + plan.polar.length + plan.region.length } };
    return;
  }
  const sets = [...new Set(plan.region.map(({ source }) => source.set))];
  const calibration = v.parse(calibrationSchema, {
    version: 1,
    search: searchName,
    reliance: relianceBlock(reliance),
    region: regionBlock(effects),
    by_kind: kindBlocks(reliance, effects),
    probability: { temperature: fitTemperature(polar), pairs: polar.length },
    data: `tune part of ${sets.join(", ")}`,
    command: `meditron eval calibrate --data DATA --pack ${model.pack.name}${input.limit === null ? "" : ` --limit ${input.limit}`}`,
    date: new Date().toISOString().slice(0, 10),
  } satisfies Calibration);
  if (input.write) await writeCalibration(model.folder, calibration);
  yield { type: "done", report: { calibration, written: input.write, detail: detail(reliance, effects) } };
}

/** The kinds of image with enough cases for thresholds of their own. */
function kindBlocks(
  reliance: readonly MeasuredPair[],
  effects: readonly NullEffect[],
): Calibration["by_kind"] {
  const reliances = groupedBy(reliance, ({ of }) => of);
  return [...groupedBy(effects, ({ of }) => of)].flatMap(([kind, ofKind]) => {
    const pairs = reliances.get(kind) ?? [];
    const trues = pairs.filter((one) => one.kind === "true").length;
    const enough =
      ofKind.length >= leastNullAnswers && Math.min(trues, pairs.length - trues) >= leastReliancePairs;
    return kind === null || !enough
      ? []
      : [{ kind, reliance: relianceBlock(pairs), region: regionBlock(ofKind) }];
  });
}

interface MeasuredPair {
  /** The entry of the pack's `intended_for`; null: none. */
  readonly of: string | null;
  readonly kind: Pair["kind"];
  /** One a sentence. */
  readonly nats: readonly number[];
}

function relianceBlock(measured: readonly MeasuredPair[]): Calibration["reliance"] {
  const cases = measured.flatMap(({ kind, nats }) => nats.map((x) => ({ x, truth: kind === "true" })));
  const fit = fitLogistic(cases);
  // A pack whose reliance does not tell true from wrong images must not pass anything.
  const { slope, offset } = fit.slope > 0 ? fit : { slope: 0, offset: -5 };
  const wrong = cases.filter((one) => !one.truth).map(({ x }) => 1 / (1 + Math.exp(-(slope * x + offset))));
  const threshold = Math.max(0.5, percentile(wrong, 1 - wrongAllowed));
  return {
    slope,
    offset,
    threshold: Math.min(1, Number.isFinite(threshold) ? threshold : 1),
    true_pairs: measured.filter(({ kind }) => kind === "true").length,
    wrong_pairs: measured.filter(({ kind }) => kind !== "true").length,
  };
}

/** One answer about an image that it does not belong to: the largest E of its sentences. */
interface NullEffect {
  /** The entry of the pack's `intended_for`; null: none. */
  readonly of: string | null;
  readonly kind: Pair["kind"];
  readonly group: string;
  readonly effect: number;
  readonly sentences: number;
}

function regionBlock(effects: readonly NullEffect[]): Calibration["region"] {
  const { value, interval } = groupBootstrap(effects, (some) =>
    percentile(
      some.map(({ effect }) => effect),
      0.95,
    ),
  );
  const count = (kind: Pair["kind"]) => effects.filter((one) => one.kind === kind).length;
  return {
    // Where nothing in the null ever had an effect, a region still needs one.
    threshold: Math.max(value, 0.02),
    interval,
    pairs: effects.reduce((sum, { sentences }) => sum + sentences, 0),
    answers: effects.length,
    kinds: { other_patient: count("other_patient"), blank: count("blank"), noise: count("noise") },
  };
}

function detail(reliance: readonly MeasuredPair[], effects: readonly NullEffect[]) {
  const summary = (values: readonly number[]) => ({
    cases: values.length,
    p5: percentile(values, 0.05),
    median: percentile(values, 0.5),
    p95: percentile(values, 0.95),
  });
  const kinds = ["true", "other_patient", "blank", "noise"] as const;
  return {
    reliance_nats: Object.fromEntries(
      kinds.map((kind) => [
        kind,
        summary(reliance.filter((one) => one.kind === kind).flatMap(({ nats }) => nats)),
      ]),
    ),
    null_effect_nats: Object.fromEntries(
      kinds
        .slice(1)
        .map((kind) => [
          kind,
          summary(effects.filter((one) => one.kind === kind).map(({ effect }) => effect)),
        ]),
    ),
    null_without_region: share(effects, ({ effect }) => effect === 0),
  };
}

/** Reliance of each sentence, in the form that support uses. */
async function measureRelianceOf(input: CalibrateInput, pair: Pair, signal: AbortSignal): Promise<number[]> {
  const answer = forced(input, pair);
  const options = { calibration: null, budgetSeconds: 0, references: true };
  const { evidence } = await groundForced(groundingRequest(input.model, answer, options), signal);
  return answerSentences(answer.text, answer.question.question).map(({ text }, index) => {
    const { nats, alone_nats } = evidence[index]!.reliance!;
    return standsAlone(text) ? alone_nats : nats;
  });
}

/** The largest E of the answer's sentences; 0 where the search found nothing to test. */
async function measureNull(input: CalibrateInput, pair: Pair, signal: AbortSignal): Promise<number> {
  const options = { calibration: null, budgetSeconds: null, references: false };
  const { evidence } = await groundForced(
    groundingRequest(input.model, forced(input, pair), options),
    signal,
  );
  return Math.max(0, ...evidence.map(({ region_effect }) => region_effect ?? 0));
}

async function measurePolar(
  { model, shelf }: CalibrateInput,
  { image, finding }: CalibrationPlan["polar"][number],
  signal: AbortSignal,
): Promise<number> {
  const question = { question: image.claims[finding]!.question, choices: null, facts: image.facts };
  const bound = model.bind(question);
  const plan = planStand({ ...question, answer: { text: "Yes.", sentences: splitSentences("Yes.") } });
  const embeddings = await bound.encode([shelf.view(image).input], signal);
  const [scores] = await bound.score(
    { alternatives: [embeddings], continuations: plan.continuations },
    signal,
  );
  return standsOf(plan, scores!)[0]!.alone;
}

function forced({ shelf }: CalibrateInput, pair: Pair): ForcedAnswer {
  const claim = pair.source.claims[pair.finding]!;
  const view = shelf.view(pair.shown);
  const nothing = pair.kind === "blank" || pair.kind === "noise";
  return {
    question: { question: claim.question, choices: null, facts: pair.source.facts },
    text: claim.present,
    view: nothing ? wrongImage(view, pair.kind as "blank" | "noise", pair.seed) : view,
    seed: pair.seed,
  };
}

async function kept<Value>(store: CaseStore, key: string, measure: () => Promise<Value>): Promise<Value> {
  const known = store.get(key);
  if (known !== undefined) return known as Value;
  const value = await measure();
  await store.put(key, value);
  return value;
}
