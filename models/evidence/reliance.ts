import type { Reliance, RelianceTerm } from "../../core/evidence.ts";
import type { HeaderFacts } from "../../core/frame.ts";
import type { Evaluator } from "./evaluator.ts";
import { blurredReference, meanReference } from "./fills.ts";
import type { GroundingModel, GroundingView } from "./model-access.ts";
import { chooseReferences, leastReferences, type ReferenceSet } from "./references.ts";
import type { Stand } from "./stand.ts";

/** L(I) minus the mean of L over the references, with each of its terms (docs/grounding.md, GRD-10). */
export interface MeasuredReliance {
  /** One a sentence; calibration is applied by the caller. */
  readonly sentences: readonly {
    readonly reliance: Omit<Reliance, "calibrated">;
    readonly terms: RelianceTerm[];
  }[];
  readonly warnings: readonly string[];
}

export interface RelianceInput {
  readonly model: GroundingModel;
  readonly evaluator: Evaluator;
  readonly views: readonly GroundingView[];
  readonly facts: HeaderFacts;
  readonly references: ReferenceSet;
}

/** Evaluations that `measureReliance` will make. */
export function relianceEvaluations({
  references,
  facts,
}: Pick<RelianceInput, "references" | "facts">): number {
  return 2 + chooseReferences(references, facts).references.length;
}

export async function measureReliance(input: RelianceInput, signal: AbortSignal): Promise<MeasuredReliance> {
  const { evaluator, views } = input;
  const { references, matched } = chooseReferences(input.references, input.facts);
  const embeddings = await referenceEmbeddings(input, references, signal);
  const own = await evaluator.replaceAll([views.map(blurredReference), views.map(meanReference)], signal);
  const known = await evaluator.replaceAllByEmbedding(embeddings, signal);

  const names = ["blurred", "mean-filled", ...references.map(({ name }) => name)];
  const stands = [...own, ...known];
  return {
    sentences: evaluator.base.map((base, index) => ({
      reliance: relianceOf(
        base,
        stands.map((stand) => stand[index]!),
      ),
      terms: names.map((reference, at) => ({
        reference,
        nats: stands[at]![index]!.given,
        alone_nats: stands[at]![index]!.alone,
      })),
    })),
    warnings: matched ? [] : [warningFor(references.length)],
  };
}

function relianceOf(base: Stand, references: readonly Stand[]): Omit<Reliance, "calibrated"> {
  const mean = (of: (stand: Stand) => number) =>
    references.reduce((sum, stand) => sum + of(stand), 0) / references.length;
  return {
    nats: base.given - mean((stand) => stand.given),
    alone_nats: base.alone - mean((stand) => stand.alone),
  };
}

async function referenceEmbeddings(
  { model, references }: RelianceInput,
  chosen: ReturnType<typeof chooseReferences>["references"],
  signal: AbortSignal,
) {
  const missing = chosen.filter((image) => !references.embeddings.has(image));
  if (missing.length > 0) {
    const encoded = await model.encode(
      missing.map((image) => image.input),
      signal,
    );
    for (const [index, image] of missing.entries()) references.embeddings.set(image, encoded[index]!);
  }
  return chosen.map((image) => references.embeddings.get(image)!);
}

function warningFor(count: number): string {
  return count < leastReferences
    ? "This pack has fewer than four reference images; how much a sentence relies on the image is measured roughly."
    : "This pack has no reference images of this modality and body part; others stand in for them.";
}
