import * as v from "valibot";

/** One run of `meditron eval KIND` (docs/evaluation.md). */
export const evaluationInputSchema = v.object({
  kind: v.picklist(["look", "calibrate", "grounding", "timing"]),
  /** Null: the embedded pack. */
  pack: v.nullable(v.string()),
  /** Folder with the image sets. */
  data: v.string(),
  /** At most so many cases of a kind; null: what the kind takes by default. */
  limit: v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1))),
  /** Files whose finished cases are taken over; new ones are added to the first. None: start anew, keep nothing. */
  state: v.array(v.string()),
  /** Only every `count`th case, from the `number`th on (from 1): a part of a run; null: all. */
  shard: v.nullable(
    v.object({
      number: v.pipe(v.number(), v.integer(), v.minValue(1)),
      count: v.pipe(v.number(), v.integer(), v.minValue(1)),
    }),
  ),
  /** Writes what was measured into the pack's pack.json: the calibration, the figures of the card. */
  write: v.boolean(),
});
export type EvaluationInput = v.InferOutput<typeof evaluationInputSchema>;
export type EvaluationKind = EvaluationInput["kind"];

export const evaluationEventSchema = v.variant("type", [
  v.object({
    type: v.literal("progress"),
    text: v.string(),
    fraction: v.number(),
    remaining_ms: v.nullable(v.number()),
  }),
  v.object({ type: v.literal("done"), report: v.record(v.string(), v.unknown()) }),
]);
export type EvaluationEvent = v.InferOutput<typeof evaluationEventSchema>;
