import * as v from "valibot";
import { instanceUidSchema, seriesUidSchema, studyUidSchema } from "./study.ts";

/**
 * A View is a reference to what a viewport shows, never a screenshot: the same question can be asked from the
 * CLI, and an answer can be replayed. All geometry is in pixels of the stored frame, origin at the top left.
 */

export const rectangleSchema = v.object({
  x: v.number(),
  y: v.number(),
  width: v.pipe(v.number(), v.minValue(0)),
  height: v.pipe(v.number(), v.minValue(0)),
});
export type Rectangle = v.InferOutput<typeof rectangleSchema>;

export const voiSchema = v.variant("kind", [
  v.object({
    kind: v.literal("window"),
    center: v.number(),
    width: v.pipe(v.number(), v.minValue(1e-9)),
    function: v.picklist(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
  }),
  v.object({ kind: v.literal("lut"), index: v.pipe(v.number(), v.integer(), v.minValue(0)) }),
  v.object({ kind: v.literal("none") }),
]);
export type ViewVoi = v.InferOutput<typeof voiSchema>;

/** An archived instance by its UIDs, or a file that was read without importing. */
export const viewSourceSchema = v.union([
  v.object({ study: studyUidSchema, series: seriesUidSchema, instance: instanceUidSchema }),
  v.object({ file: v.string(), sha256: v.string() }),
]);
export type ViewSource = v.InferOutput<typeof viewSourceSchema>;

/** How the viewport turned the stored frame: first the flip (left-right), then the clockwise turn. */
export const turnSchema = v.object({ flip: v.boolean(), rotate: v.picklist([0, 90, 180, 270]) });
export type Turn = v.InferOutput<typeof turnSchema>;

export const viewSchema = v.object({
  source: viewSourceSchema,
  /** From 1, as DICOM. */
  frame: v.pipe(v.number(), v.integer(), v.minValue(1)),
  /** Null: the default of the file (first window, else its LUT, else 1st to 99th percentile). */
  voi: v.nullable(voiSchema),
  invert: v.optional(v.boolean(), false),
  crop: v.nullable(rectangleSchema),
  turn: v.optional(turnSchema, { flip: false, rotate: 0 }),
  /** Regions the user drew to ask about. */
  regions: v.optional(v.array(rectangleSchema), []),
});
export type View = v.InferOutput<typeof viewSchema>;
