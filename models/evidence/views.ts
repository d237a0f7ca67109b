import type { Evaluator } from "./evaluator.ts";
import { blurredReference } from "./fills.ts";
import type { GroundingView } from "./model-access.ts";
import { type StandPlan, supportNats } from "./stand.ts";

/**
 * Which of several views (slices, projections) a sentence rests on: what it loses when one view is blurred as a
 * whole and the others stay (docs/grounding.md, GRD-20). `result[view][sentence]` in nats.
 */
export async function measureViews(
  { evaluator, views, plan }: { evaluator: Evaluator; views: readonly GroundingView[]; plan: StandPlan },
  view: number,
  signal: AbortSignal,
): Promise<number[]> {
  const [without] = await evaluator.replaceView(view, [blurredReference(views[view]!)], signal);
  return plan.sentences.map(
    (sentence, index) =>
      supportNats(sentence, evaluator.base[index]!) - supportNats(sentence, without![index]!),
  );
}

/** The view in which to look for a region: the one that matters most to any of the sentences. */
export function viewToSearch(effects: readonly (readonly number[])[], sentences: readonly number[]): number {
  let best = 0;
  let most = -Infinity;
  for (const [view, nats] of effects.entries()) {
    for (const sentence of sentences) {
      if (nats[sentence]! > most) {
        most = nats[sentence]!;
        best = view;
      }
    }
  }
  return best;
}
