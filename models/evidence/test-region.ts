import type { Rectangle } from "../../core/view.ts";
import type { Findings } from "./decide.ts";
import type { Evaluator } from "./evaluator.ts";
import { blurredFill, replaceRegion, surroundFill } from "./fills.ts";
import type { GroundingRequest } from "./grounding-request.ts";
import { type EvidenceSearch, mapValues, measuredFor, medianDropNear, regionSearched } from "./map.ts";
import { candidateRegions, heldShare, type SelectedRegion } from "./region.ts";
import { type Stand, type StandPlan, supportNats } from "./stand.ts";
import { cellRectangle } from "./windows.ts";

export interface TestInput {
  readonly request: GroundingRequest;
  readonly evaluator: Evaluator;
  readonly plan: StandPlan;
  readonly view: number;
  readonly search: EvidenceSearch;
}

/** The most evaluations that one sentence's region takes: three tries and the test. */
export const evaluationsEachRegion = 4;

/**
 * Chooses the region of a sentence with the first fill and tests it with the second (docs/grounding.md, GRD-13,
 * GRD-14). `at` is the sentence's place among the searched ones, `index` among all.
 */
export async function testRegion(
  input: TestInput,
  { at, index }: { at: number; index: number },
  signal: AbortSignal,
): Promise<{ region: Findings["region"]; boxes: readonly Rectangle[] }> {
  const { request, view, search } = input;
  if (!regionSearched(search)) return { region: { status: "none" }, boxes: [] };
  const area = request.views[view]!;
  const region = await chooseRegion(input, { at, index }, signal);
  const fill = surroundFill(area, region.boxes, request.seed);
  const lost = await dropWithout(input, { index, boxes: region.boxes, fill }, signal);
  const { bounds, rows, columns } = search.grid;
  const cells = areaOf(region.boxes) / ((bounds.width * bounds.height) / (rows * columns));
  const effectNats = lost - medianDropNear(search, at, cells);
  return { region: { status: "tested", effectNats, share: region.share }, boxes: region.boxes };
}

/** The narrowest candidate that holds half of the largest drop; the last one is the window that gave it. */
async function chooseRegion(
  input: TestInput,
  { at, index }: { at: number; index: number },
  signal: AbortSignal,
): Promise<SelectedRegion> {
  const { request, view, search } = input;
  const area = request.views[view]!;
  const best = measuredFor(search, at).reduce((most, one) => (one.nats > most.nats ? one : most));
  const candidates = candidateRegions(search, mapValues(search, at), best.window);
  // The fill of the window that they are compared with: through a narrower blur more of what is filled shines.
  const fill = blurredFill(area, sideOf([cellRectangle(search.grid, best.window)]), request.seed);
  for (const region of candidates.slice(0, -1)) {
    const lost = await dropWithout(input, { index, boxes: region.boxes, fill }, signal);
    if (lost >= heldShare * best.nats) return region;
  }
  return candidates.at(-1)!;
}

async function dropWithout(
  { request, evaluator, plan, view }: TestInput,
  {
    index,
    boxes,
    fill,
  }: { index: number; boxes: readonly Rectangle[]; fill: ReturnType<typeof blurredFill> },
  signal: AbortSignal,
): Promise<number> {
  const replaced = replaceRegion(request.views[view]!, boxes, fill);
  const [without] = await evaluator.replaceView(view, [replaced], signal);
  return supportDrop({ plan, evaluator }, index, without!);
}

/** What a sentence lost, in the form that support uses; nats. */
export function supportDrop(
  { plan, evaluator }: { plan: StandPlan; evaluator: Evaluator },
  index: number,
  without: readonly Stand[],
): number {
  const sentence = plan.sentences[index]!;
  return supportNats(sentence, evaluator.base[index]!) - supportNats(sentence, without[index]!);
}

/** The side of a square as large as the boxes together, pixels. */
export function sideOf(boxes: readonly Rectangle[]): number {
  return Math.sqrt(areaOf(boxes));
}

function areaOf(boxes: readonly Rectangle[]): number {
  return boxes.reduce((sum, { width, height }) => sum + width * height, 0);
}
