import { throwIfAborted } from "../../core/errors.ts";
import type { ModelInput } from "../api.ts";
import type { GroundingModel, GroundingView, ImageEmbedding } from "./model-access.ts";
import { type Stand, type StandPlan, standsOf, supportNats, supportPlan } from "./stand.ts";

/**
 * Scores all sentences of one answer for changed images, and counts what that cost: one evaluation is one image
 * that was encoded (where it was not known yet) and scored.
 */
export interface Evaluator {
  /** L of every sentence for the image as it is. */
  readonly base: readonly Stand[];
  readonly evaluations: number;
  /** Median milliseconds of one evaluation with encoding; 0 before the first. */
  readonly evaluationMs: number;
  /** `result[input][sentence]`: view `view` replaced by each input. Only the form of L that support uses. */
  replaceView(view: number, inputs: readonly ModelInput[], signal: AbortSignal): Promise<Stand[][]>;
  /** Every view replaced: `inputs[alternative][view]`. */
  replaceAll(inputs: readonly (readonly ModelInput[])[], signal: AbortSignal): Promise<Stand[][]>;
  /** Every view replaced by the same known embedding, one alternative each. */
  replaceAllByEmbedding(embeddings: readonly ImageEmbedding[], signal: AbortSignal): Promise<Stand[][]>;
}

/** Images encoded and scored together: enough to gain from a batch, few enough to stop soon and show progress. */
const batch = 4;

interface Asked {
  readonly asked: StandPlan;
  /** The images come again with other questions. */
  readonly lasting: boolean;
}

export async function openEvaluator(
  { model, views, plan }: { model: GroundingModel; views: readonly GroundingView[]; plan: StandPlan },
  signal: AbortSignal,
): Promise<Evaluator> {
  const costs: number[] = [];
  let evaluations = 0;

  const shown = await model.encode(
    views.map((view) => view.input),
    signal,
  );
  const [shownScore] = await model.score(
    { alternatives: [shown], continuations: plan.continuations },
    signal,
  );
  const base = standsOf(plan, shownScore!);
  // It pays for warming up: it is no measure of the next ones.
  evaluations += 1;

  async function score(
    alternatives: ImageEmbedding[][],
    { asked, lasting, started }: Asked & { started: number },
    stopped: AbortSignal,
  ) {
    throwIfAborted(stopped);
    // A blank image is the same without any of its windows: the same pixels give the same embedding object.
    const changed = alternatives.filter((images) => images.some((image, view) => image !== shown[view]));
    const scores =
      changed.length === 0
        ? []
        : await model.score({ alternatives: changed, continuations: asked.continuations, lasting }, stopped);
    evaluations += changed.length;
    for (let n = 0; n < changed.length; n++) costs.push((performance.now() - started) / changed.length);
    const unchanged = asked === plan ? base : base.map((stand, index) => inSupportForm(plan, stand, index));
    return alternatives.map((images) => {
      const at = changed.indexOf(images);
      return at < 0 ? unchanged : standsOf(asked, scores[at]!);
    });
  }

  const inSearch = supportPlan(plan);

  async function inBatches<Item>(
    { items, ...how }: Asked & { items: readonly Item[] },
    stopped: AbortSignal,
    embed: (items: readonly Item[]) => Promise<ImageEmbedding[][]>,
  ): Promise<Stand[][]> {
    const results: Stand[][] = [];
    for (let at = 0; at < items.length; at += batch) {
      throwIfAborted(stopped);
      const begun = performance.now();
      const embedded = await embed(items.slice(at, at + batch));
      results.push(...(await score(embedded, { ...how, started: begun }, stopped)));
    }
    return results;
  }

  return {
    base,
    get evaluations() {
      return evaluations;
    },
    get evaluationMs() {
      const sorted = costs.toSorted((a, b) => a - b);
      return sorted[Math.floor(sorted.length / 2)] ?? 0;
    },
    replaceView: (view, inputs, stopped) =>
      inBatches({ items: inputs, asked: inSearch, lasting: false }, stopped, async (items) => {
        const encoded = await model.encode(items, stopped);
        return encoded.map((embedding) => shown.map((own, index) => (index === view ? embedding : own)));
      }),
    replaceAll: (inputs, stopped) =>
      inBatches({ items: inputs, asked: plan, lasting: false }, stopped, async (items) => {
        const encoded = await model.encode(items.flat(), stopped);
        return items.map((_, index) => encoded.slice(index * views.length, (index + 1) * views.length));
      }),
    replaceAllByEmbedding: (embeddings, stopped) =>
      inBatches({ items: embeddings, asked: plan, lasting: true }, stopped, async (items) =>
        items.map((embedding) => views.map(() => embedding)),
      ),
  };
}

function inSupportForm(plan: StandPlan, stand: Stand, index: number): Stand {
  const nats = supportNats(plan.sentences[index]!, stand);
  return { given: nats, alone: nats };
}
