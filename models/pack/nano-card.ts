import * as v from "valibot";
import type { Figure, PackCard } from "../../core/model-pack.ts";

/** card.json as models/training/card.py writes it. */
const measuredSchema = v.object({ value: v.number(), low: v.number(), high: v.number() });
const lookingSchema = v.object({
  questions: v.number(),
  true: measuredSchema,
  swapped: measuredSchema,
  difference: measuredSchema,
  auc: v.optional(v.number()),
});
/** How often the highest cell of the encoder's map lies in a box of the finding, a set each. */
const boxesSchema = v.record(
  v.string(),
  v.object({ images: v.number(), inside: measuredSchema, near: measuredSchema }),
);
const trainingCardSchema = v.object({
  training_data: v.array(
    v.object({ set: v.string(), licence: v.string(), use: v.string(), cite: v.string() }),
  ),
  weights: v.array(v.object({ name: v.string(), licence: v.string() })),
  split: v.object({
    rule: v.string(),
    group: v.string(),
    parts: v.record(v.string(), v.record(v.string(), v.object({ groups: v.number(), images: v.number() }))),
  }),
  figures: v.looseObject({ command: v.string() }),
  known_failures: v.array(v.string()),
});

const names: Readonly<Record<string, string>> = {
  fracatlas: "FracAtlas",
  busi: "BUSI",
  "nih-cxr14": "NIH ChestX-ray14",
};

/** The pack's card from the training's: every figure with its interval, number of questions and command. */
export function nanoCard(json: unknown): PackCard {
  const card = v.parse(trainingCardSchema, json);
  return {
    title: "MEDITRON-V nano",
    summary:
      "A small model for limb radiographs (fracture), frontal chest radiographs and breast ultrasound (lesion). " +
      `Built on ${builtOn(card.weights)}.`,
    researchUse: "Research use only. Not a medical device.",
    trainingData: card.training_data.map(({ set, licence, use, cite }) => ({
      name: set,
      part: use,
      images: trainImages(card.split.parts, set),
      licence,
      attribution: cite,
    })),
    split: `${card.split.rule}. Disjoint by ${card.split.group}.`,
    figures: Object.entries(card.figures).flatMap(([name, value]) => [
      ...looking(name, value, card.figures.command),
      ...boxes(name, value, card.figures.command),
    ]),
    knownFailures: card.known_failures,
  };
}

function builtOn(weights: readonly { name: string; licence: string }[]): string {
  const licences = [...new Set(weights.map(({ licence }) => licence))];
  return weights.length === 2 && licences.length === 1
    ? `${weights.map(({ name }) => name).join(" and ")} (both ${licences[0]})`
    : weights.map(({ name, licence }) => `${name} (${licence})`).join(" and ");
}

function trainImages(
  parts: Readonly<Record<string, Readonly<Record<string, { images: number }>>>>,
  set: string,
): number {
  const key = Object.keys(names).find((one) => set.startsWith(names[one] as string));
  return (key === undefined ? undefined : parts[key]?.["train"]?.images) ?? 0;
}

function looking(finding: string, value: unknown, command: string): Figure[] {
  const parsed = v.safeParse(lookingSchema, value);
  if (!parsed.success) return [];
  const { questions, true: seen, swapped, difference } = parsed.output;
  const figure = (
    name: string,
    { value: point, low, high }: v.InferOutput<typeof measuredSchema>,
  ): Figure => ({
    name: `${finding}: ${name}`,
    value: point,
    unit: "balanced accuracy, full precision",
    interval: [low, high],
    cases: questions,
    data: "report part",
    command,
    date: new Date().toISOString().slice(0, 10),
  });
  return [
    figure("true image", seen),
    figure("another image with the opposite label", swapped),
    figure("difference", difference),
  ];
}

function boxes(name: string, value: unknown, command: string): Figure[] {
  const parsed = v.safeParse(boxesSchema, value);
  if (!parsed.success) return [];
  return Object.entries(parsed.output).map(([set, { images, near }]) => ({
    name: `${name} (near it): ${set.replace(/^[\w-]+/, (key) => names[key] ?? key)}`,
    value: near.value,
    unit: "share of boxed images, full precision",
    interval: [near.low, near.high],
    cases: images,
    data: "report part",
    command,
    date: new Date().toISOString().slice(0, 10),
  }));
}
