import { groupedBy } from "./grouped-by.ts";
import type { SentenceEvidence } from "../../core/evidence.ts";
import type { Rectangle } from "../../core/view.ts";
import type { EvaluationEvent } from "../../core/evaluation.ts";
import { type CaseStore } from "./case-store.ts";
import type { MeasuredFigure } from "./card-figures.ts";
import type { DataImage } from "./data-sets.ts";
import type { EvalModel } from "./eval-model.ts";
import { groundForced, groundingRequest } from "./forced-answer.ts";
import type { ImageShelf } from "./image-shelf.ts";
import { pace } from "./pace.ts";
import { type Pair, shuffled, truePairs, wrongPairs } from "./pairs.ts";
import { type Estimate, groupBootstrap, share } from "./statistics.ts";
import { wrongImage } from "./wrong-images.ts";

/**
 * On boxed images of the report part: does the region of a true statement hit the box, and how often are true
 * statements supported, and statements about wrong images?
 */
const casesEachSet = 40;
/** "Near": the box enlarged by this share of the image's long side. */
const nearShare = 0.03;

export interface RatePlan {
  readonly truth: readonly Pair[];
  readonly wrong: readonly Pair[];
}

export function planRates(images: readonly DataImage[], limit: number | null): RatePlan {
  const each = limit ?? casesEachSet;
  const sets = [...new Set(images.map(({ set }) => set))];
  const pairs = truePairs(images, "report").filter(({ finding }) => finding !== "lesion");
  const lesions = truePairs(images, "report").filter(({ finding }) => finding === "lesion");
  return {
    truth: sets.flatMap((set) =>
      shuffled(
        (set === "busi" ? lesions : pairs).filter(({ source }) => source.set === set),
        17,
      ).slice(0, each),
    ),
    wrong: wrongPairs(images, "report", Math.min(200, each * 2)),
  };
}

export function rateFiles({ truth, wrong }: RatePlan): string[] {
  return [...new Set([...truth, ...wrong].flatMap(({ source, shown }) => [source.path, shown.path]))];
}

interface RateCase {
  readonly group: string;
  readonly set: string;
  readonly kind: Pair["kind"];
  readonly supported: boolean;
  readonly states: readonly string[];
  /** Centre of the strongest box of the sentence's region; null without one. */
  readonly hit: boolean | null;
  readonly near: boolean | null;
}

interface RateInput {
  readonly model: EvalModel;
  readonly shelf: ImageShelf;
  readonly plan: RatePlan;
  readonly store: CaseStore;
  /** Measures and keeps the cases, without figures of them. */
  readonly partOnly: boolean;
}

export async function* evaluateRates(
  { model, shelf, plan, store, partOnly }: RateInput,
  signal: AbortSignal,
): AsyncGenerator<EvaluationEvent, void, void> {
  const pairs = [...plan.truth, ...plan.wrong];
  const progress = pace(pairs.length);
  const cases: RateCase[] = [];
  for (const pair of pairs) {
    const known = store.get(pair.key) as RateCase | undefined;
    const result = known ?? (await measure({ model, shelf, pair }, signal));
    if (known === undefined) await store.put(pair.key, result);
    cases.push(result);
    yield progress.step(pair.key);
  }
  if (partOnly) {
    yield { type: "done", report: { cases: cases.length } };
    return;
  }
  const measured = figures(cases);
  const report = { figures: measured, calibrated: model.calibration !== null, card: rateCard(measured) };
  yield { type: "done", report };
}

async function measure(
  { model, shelf, pair }: { model: EvalModel; shelf: ImageShelf; pair: Pair },
  signal: AbortSignal,
): Promise<RateCase> {
  const claim = pair.source.claims[pair.finding]!;
  const shown = shelf.view(pair.shown);
  const view =
    pair.kind === "blank" || pair.kind === "noise" ? wrongImage(shown, pair.kind, pair.seed) : shown;
  const question = { question: claim.question, choices: null, facts: pair.source.facts };
  const request = groundingRequest(
    model,
    { question, text: claim.present, view, seed: pair.seed },
    { calibration: model.calibration, budgetSeconds: null, references: true },
  );
  const { evidence } = await groundForced(request, signal);
  const point = pointOf(evidence);
  const boxes = pair.source.boxes.filter(({ finding }) => finding === pair.finding).map(({ box }) => box);
  const { width, height } = shown.toFrame(shown.content);
  const judge = (margin: number) =>
    point === null || pair.kind !== "true" ? null : boxes.some((box) => inside(point, grown(box, margin)));
  return {
    group: pair.shown.group,
    set: pair.source.set,
    kind: pair.kind,
    supported: evidence.some(({ state }) => state === "supported"),
    states: evidence.map(({ state }) => state),
    hit: judge(0),
    near: judge(nearShare * Math.max(width, height)),
  };
}

/** The centre of the first box of the sentence with the largest effect. */
function pointOf(evidence: readonly SentenceEvidence[]): { x: number; y: number } | null {
  const [best] = evidence
    .filter(({ regions }) => regions.length > 0)
    .toSorted((a, b) => (b.region_effect ?? 0) - (a.region_effect ?? 0));
  const box = best?.regions[0];
  return box === undefined ? null : { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

function inside({ x, y }: { x: number; y: number }, box: Rectangle): boolean {
  return x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;
}

function grown({ x, y, width, height }: Rectangle, by: number): Rectangle {
  return { x: x - by, y: y - by, width: width + 2 * by, height: height + 2 * by };
}

function figures(cases: readonly RateCase[]) {
  const rate = (some: readonly RateCase[], test: (one: RateCase) => boolean) =>
    some.length === 0 ? null : { cases: some.length, ...groupBootstrap(some, (drawn) => share(drawn, test)) };
  const truth = cases.filter(({ kind }) => kind === "true");
  const wrong = cases.filter(({ kind }) => kind !== "true");
  const bySet = groupedBy(truth, ({ set }) => set);
  return {
    ...Object.fromEntries(
      [...bySet].map(([set, some]) => [
        set,
        {
          region_found: rate(some, ({ hit }) => hit !== null),
          hit_of_found: rate(
            some.filter(({ hit }) => hit !== null),
            ({ hit }) => hit === true,
          ),
          near_of_found: rate(
            some.filter(({ near }) => near !== null),
            ({ near }) => near === true,
          ),
          supported: rate(some, ({ supported }) => supported),
          hit_of_supported: rate(
            some.filter(({ supported, hit }) => supported && hit !== null),
            ({ hit }) => hit === true,
          ),
        },
      ]),
    ),
    supported_true: rate(truth, ({ supported }) => supported),
    supported_wrong: rate(wrong, ({ supported }) => supported),
    supported_other_patient: rate(
      wrong.filter(({ kind }) => kind === "other_patient"),
      ({ supported }) => supported,
    ),
    supported_blank_or_noise: rate(
      wrong.filter(({ kind }) => kind !== "other_patient"),
      ({ supported }) => supported,
    ),
  };
}

type Rates = ReturnType<typeof figures>;

function rateCard(measured: Rates): MeasuredFigure[] {
  const flat = Object.entries(measured).flatMap(([name, value]): [string, unknown][] =>
    value !== null && "region_found" in value
      ? Object.entries(value).map(([figure, estimate]) => [`${figure} (${name})`, estimate])
      : [[name, value]],
  );
  return flat.flatMap(([name, value]) => {
    if (value === null) return [];
    const estimate = value as Estimate & { cases: number };
    const readable = `Grounding: ${name.replaceAll("_", " ")}`;
    return [
      { name: readable, estimate, unit: "share", cases: estimate.cases, data: "boxed images, report part" },
    ];
  });
}
