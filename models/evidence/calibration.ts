import * as v from "valibot";
import { searchName } from "./map.ts";

/**
 * The `calibration` block of pack.json, written by `meditron eval calibrate`. Without it a pack's sentences are
 * "uncalibrated", never "supported" (docs/grounding.md, GRD-19).
 */
const interval = v.tuple([v.number(), v.number()]);

const relianceSchema = v.object({
  /** calibrated = 1 / (1 + exp(-(slope * nats + offset))), fitted on true against wrong images of the tune part. */
  slope: v.number(),
  offset: v.number(),
  /** Of the calibrated value; below it a sentence is "unsupported". */
  threshold: v.pipe(v.number(), v.minValue(0), v.maxValue(1)),
  true_pairs: v.number(),
  wrong_pairs: v.number(),
});

const regionSchema = v.object({
  /** nats: 95th percentile of the maximum of E over an answer's sentences, under the null. */
  threshold: v.number(),
  interval,
  /** Pairs of a sentence with an image that it does not belong to. */
  pairs: v.pipe(v.number(), v.integer(), v.minValue(0)),
  /** The answers that these sentences make; the percentile is over answers. */
  answers: v.pipe(v.number(), v.integer(), v.minValue(0)),
  /** How many of the answers were shown an image of each kind. */
  kinds: v.object({ other_patient: v.number(), blank: v.number(), noise: v.number() }),
});

/** Answers about images that they do not belong to which a null must hold at least (docs/grounding.md, GRD-15). */
export const leastNullAnswers = 200;

export const calibrationSchema = v.object({
  /** Of this block and of the search it was measured with: another search needs another null. */
  version: v.literal(1),
  search: v.string(),
  /** Over all kinds of image. */
  reliance: relianceSchema,
  region: regionSchema,
  /** Of one kind of image each, where its own null is large enough; the others take what was measured over all. */
  by_kind: v.optional(
    v.array(
      v.object({
        /** The name of the entry of `intended_for` that these images fit. */
        kind: v.string(),
        reliance: relianceSchema,
        region: v.pipe(
          regionSchema,
          v.check(
            ({ answers }) => answers >= leastNullAnswers,
            "a kind's null holds fewer answers than are needed",
          ),
        ),
      }),
    ),
    [],
  ),
  /** Temperature of a sentence's log-odds, so that `probability` is right as often as it says. */
  probability: v.object({ temperature: v.pipe(v.number(), v.minValue(1e-6)), pairs: v.number() }),
  data: v.string(),
  command: v.string(),
  date: v.string(),
});
export type Calibration = v.InferOutput<typeof calibrationSchema>;

/** What decides about the sentences of one answer. */
export type Thresholds = Pick<Calibration, "reliance" | "region" | "probability">;

/** The thresholds for an image of `kind`, an entry of the pack's `intended_for`; null: it fits none. */
export function thresholdsFor(calibration: Calibration, kind: string | null): Thresholds {
  const { reliance, region } = calibration.by_kind.find((one) => one.kind === kind) ?? calibration;
  return { reliance, region, probability: calibration.probability };
}

/**
 * Why a calibration does not count, in words for the user; null where it does. A pack whose calibration does not
 * count is uncalibrated (docs/grounding.md, GRD-19).
 */
export function calibrationFault({ search, region }: Calibration): string | null {
  if (search !== searchName) {
    return "The calibration of this pack was made for another search; its sentences count as uncalibrated.";
  }
  if (region.answers < leastNullAnswers) {
    return `The calibration of this pack rests on ${region.answers} wrong answers where ${leastNullAnswers} are needed; its sentences count as uncalibrated.`;
  }
  return null;
}
