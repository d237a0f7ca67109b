import { calibrationFault, thresholdsFor } from "./calibration.ts";
import { type Evaluator, openEvaluator } from "./evaluator.ts";
import { blurredFill, replaceRegion } from "./fills.ts";
import { findForeground, type Foreground } from "./foreground.ts";
import { frameMap } from "./frame-map.ts";
import type { GroundingEvent, GroundingRequest } from "./grounding-request.ts";
import { createLedger } from "./ledger.ts";
import { mapLeftOut } from "./left-out.ts";
import { type EvidenceSearch, nextWindows, plannedEvaluations, searchStages } from "./map.ts";
import { measureReliance, relianceEvaluations } from "./reliance.ts";
import { planStand, type StandPlan } from "./stand.ts";
import { evaluationsEachRegion, sideOf, supportDrop, testRegion } from "./test-region.ts";
import { measureViews, viewToSearch } from "./views.ts";
import type { GroundingView } from "./model-access.ts";
import { type CellGrid, cellGrid, cellRectangle, type CellWindow } from "./windows.ts";

/**
 * Tests what each sentence of an answer rests on, as docs/grounding.md defines it: reliance first, then the
 * evidence map, then the regions. Yields progress, and a sentence's evidence each time more of it is known. Where a
 * part of the model leaves its graphics card in between, all is measured again from the beginning: evidence is made of
 * differences, and numbers of the card and of the processor are not to be subtracted from each other.
 */
export async function* groundAnswer(
  request: GroundingRequest,
  signal: AbortSignal,
): AsyncGenerator<GroundingEvent, void, void> {
  const { model } = request;
  const started = performance.now();
  let again: string[] = [];
  for (;;) {
    const { moves } = model;
    let moved = false;
    for await (const event of measureEvidence(request, started, signal)) {
      moved = model.moves !== moves;
      if (moved) break;
      yield event.type === "done" ? { ...event, warnings: [...again, ...event.warnings] } : event;
    }
    if (!moved) return;
    again = [measuredAgain];
  }
}

const measuredAgain =
  "The graphics card had too little memory in the middle of the evidence, which was measured again from its beginning.";

/** `started`: when the work began, by `performance.now`; the budget counts from there. */
async function* measureEvidence(
  request: GroundingRequest,
  started: number,
  signal: AbortSignal,
): AsyncGenerator<GroundingEvent, void, void> {
  const { views, model, budgetSeconds } = request;
  const fault = request.calibration === null ? null : calibrationFault(request.calibration);
  const thresholds =
    request.calibration === null || fault !== null ? null : thresholdsFor(request.calibration, request.kind);
  const plan = planStand(request);
  const sentences = plan.sentences.map((_, index) => index);
  const warnings = fault === null ? [] : [fault];

  yield { type: "progress", stage: "reliance", fraction: 0, remaining_ms: 0 };
  const evaluator = await openEvaluator({ model, views, plan }, signal);
  const fields = searchFields(views);
  const work = planWork({ request, evaluator, fields });
  yield work.progress("reliance");

  const measured = await measureReliance({ ...request, evaluator }, signal);
  warnings.push(...measured.warnings);
  const ledger = createLedger({ plan, evaluator, measured, thresholds });
  for (const index of sentences) yield ledger.event(index);
  yield work.progress("reliance");

  const done = (): GroundingEvent => ({
    type: "done",
    evaluations: evaluator.evaluations,
    milliseconds: performance.now() - started,
    evaluation_ms: evaluator.evaluationMs,
    warnings,
  });

  const searched = sentences.filter((index) => ledger.needsRegion(index));
  if (searched.length === 0 || views.length === 0) return yield done();
  const estimateMs = work.remainingMs();
  if (budgetSeconds !== null && performance.now() - started + estimateMs > budgetSeconds * 1000) {
    warnings.push(mapLeftOut(estimateMs / 1000));
    return yield done();
  }

  if (views.length > 1) {
    const effects: number[][] = [];
    for (const view of views.keys()) {
      effects.push(await measureViews({ evaluator, views, plan }, view, signal));
      yield work.progress("map");
    }
    ledger.setViewEffects(effects);
  }
  const view = viewToSearch(ledger.viewEffects, searched);

  const searching = searchView({ request, evaluator, plan, view, fields, sentences: searched }, signal);
  let search: EvidenceSearch | undefined;
  for await (const step of searching) {
    yield work.progress("map");
    search = step.search;
    if (!step.stageDone) continue;
    for (const [at, index] of searched.entries()) {
      ledger.setMap(index, [frameMap({ search: step.search, sentence: at }, views[view]!, view)]);
      yield ledger.event(index);
    }
  }
  work.searchEnded();

  const testing = { request, evaluator, plan, view, search: search! };
  for (const [at, index] of searched.entries()) {
    const tested = await testRegion(testing, { at, index }, signal);
    const boxes = tested.boxes.map((box) => ({ view, ...views[view]!.toFrame(box) }));
    ledger.setRegion(index, tested.region, boxes);
    yield ledger.event(index);
    yield work.progress("region");
  }
  yield { type: "progress", stage: "region", fraction: 1, remaining_ms: 0 };
  yield done();
}

interface SearchInput {
  readonly request: GroundingRequest;
  readonly evaluator: Evaluator;
  readonly plan: StandPlan;
  readonly view: number;
  readonly fields: SearchFields;
}

/** Where a view is searched. Found once: it takes a while, and the estimate needs it too. */
type SearchFields = (view: number) => { readonly foreground: Foreground; readonly grid: CellGrid };

function searchFields(views: readonly GroundingView[]): SearchFields {
  const known = new Map<number, ReturnType<SearchFields>>();
  return (view) => {
    const found = known.get(view);
    if (found !== undefined) return found;
    const foreground = findForeground(views[view]!);
    const field = { foreground, grid: cellGrid(foreground) };
    known.set(view, field);
    return field;
  };
}

/** Windows replaced together before progress is shown. */
const windowBatch = 4;

async function* searchView(
  { request, evaluator, plan, view, fields, sentences }: SearchInput & { sentences: readonly number[] },
  signal: AbortSignal,
): AsyncGenerator<{ search: EvidenceSearch; stageDone: boolean }, void, void> {
  const area = request.views[view]!;
  const { foreground, grid } = fields(view);
  let measured: { window: CellWindow; drops: number[] }[] = [];
  for (const stage of searchStages) {
    const windows = nextWindows({ grid, foreground, measured }, stage);
    const fill =
      windows.length === 0 ? [] : blurredFill(area, sideOf([cellRectangle(grid, windows[0]!)]), request.seed);
    for (let at = 0; at < windows.length; at += windowBatch) {
      const some = windows.slice(at, at + windowBatch);
      const inputs = some.map((window) => replaceRegion(area, [cellRectangle(grid, window)], fill));
      const stands = await evaluator.replaceView(view, inputs, signal);
      measured = [
        ...measured,
        ...some.map((window, k) => ({
          window,
          drops: sentences.map((index) => supportDrop({ plan, evaluator }, index, stands[k]!)),
        })),
      ];
      yield { search: { grid, foreground, measured }, stageDone: false };
    }
    yield { search: { grid, foreground, measured }, stageDone: true };
  }
}

/** How much is left, for progress and for the budget. */
function planWork({ request, evaluator, fields }: Pick<SearchInput, "request" | "evaluator" | "fields">) {
  const { views } = request;
  const regions = evaluationsEachRegion * request.answer.sentences.length;
  const search = views.length === 0 ? 0 : plannedEvaluations(fields(0).grid);
  let planned = 1 + relianceEvaluations(request) + (views.length > 1 ? views.length : 0) + search + regions;
  const remainingMs = () => Math.max(0, planned - evaluator.evaluations) * evaluator.evaluationMs;
  return {
    remainingMs,
    /** An early stop or a small foreground took fewer windows than planned. */
    searchEnded() {
      planned = evaluator.evaluations + regions;
    },
    progress: (stage: "reliance" | "map" | "region"): GroundingEvent => ({
      type: "progress",
      stage,
      fraction: Math.min(1, evaluator.evaluations / planned),
      remaining_ms: Math.round(remainingMs()),
    }),
  };
}
