import * as v from "valibot";
import { rectangleSchema } from "./view.ts";

/** docs/grounding.md defines each state; the words on the screen stand in renderer/ask. */
export const sentenceStateSchema = v.picklist([
  "supported",
  "diffuse",
  "absent",
  "unsupported",
  "uncalibrated",
  "untested",
]);
export type SentenceState = v.InferOutput<typeof sentenceStateSchema>;

/** How much the model stands behind a sentence because of this image and not another, in nats. */
export const relianceSchema = v.object({
  nats: v.number(),
  /** The same with none of the earlier sentences given. */
  alone_nats: v.number(),
  /** 0..1 on the pack's validation part; null where the pack has no calibration. */
  calibrated: v.nullable(v.number()),
  /** From which `calibrated` counts, for images of this kind; null where the pack has no calibration. */
  threshold: v.optional(v.nullable(v.number())),
});
export type Reliance = v.InferOutput<typeof relianceSchema>;

/** One term of reliance, kept in the answer record: L of the sentence for one reference. */
export const relianceTermSchema = v.object({
  reference: v.string(),
  nats: v.number(),
  alone_nats: v.number(),
});
export type RelianceTerm = v.InferOutput<typeof relianceTermSchema>;

export const regionSchema = v.object({ view: v.number(), ...rectangleSchema.entries });
export type Region = v.InferOutput<typeof regionSchema>;

/** `values[row * columns + column]`: nats lost without that cell. The map covers x, y, width, height of the frame. */
export const evidenceMapSchema = v.object({
  view: v.number(),
  ...rectangleSchema.entries,
  rows: v.number(),
  columns: v.number(),
  values: v.array(v.number()),
});
export type EvidenceMap = v.InferOutput<typeof evidenceMapSchema>;

export const viewEffectSchema = v.object({ view: v.number(), nats: v.number() });

/** What was measured for one sentence. */
export const sentenceEvidenceSchema = v.object({
  reliance: v.nullable(relianceSchema),
  /** L(I): with earlier sentences given, and alone. */
  stand: v.optional(v.nullable(v.object({ nats: v.number(), alone_nats: v.number() }))),
  terms: v.optional(v.array(relianceTermSchema)),
  /** E of the selected region (docs/grounding.md), nats; null where no region was tested. */
  region_effect: v.optional(v.nullable(v.number())),
  state: sentenceStateSchema,
  regions: v.array(regionSchema),
  views_effect: v.array(viewEffectSchema),
  maps: v.array(evidenceMapSchema),
  /** "follows from sentence k" (index), where the image adds little once the earlier sentences are given. */
  follows_from: v.optional(v.nullable(v.number())),
});
export type SentenceEvidence = v.InferOutput<typeof sentenceEvidenceSchema>;

/** Something a sentence can rest on; each kind can be opened in the viewer. */
export const evidenceSchema = v.variant("type", [
  v.object({ type: v.literal("region"), region: regionSchema, nats: v.number() }),
  v.object({ type: v.literal("frame"), view: v.number(), nats: v.number() }),
  v.object({ type: v.literal("measurement"), measurement: v.string() }),
  v.object({ type: v.literal("header"), keyword: v.string(), value: v.string() }),
  v.object({ type: v.literal("prior"), answer: v.string() }),
]);
export type Evidence = v.InferOutput<typeof evidenceSchema>;
