import * as v from "valibot";
import { sentenceEvidenceSchema } from "./evidence.ts";
import { frameSummarySchema } from "./frame.ts";
import { viewSchema } from "./view.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** What a user asks, over any door. */
export const questionSchema = v.object({
  question: v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(2000)),
  views: v.pipe(v.array(viewSchema), v.minLength(1), v.maxLength(64)),
  /** The allowed answers; then L is the log-odds of the answer given. */
  choices: v.optional(v.nullable(v.pipe(v.array(v.string()), v.minLength(2), v.maxLength(20))), null),
  /** A JSON Schema that the answer is held to, instead of sentences (docs/formats/answer-schema.md); absent or null: none. */
  schema: v.optional(v.nullable(v.record(v.string(), v.unknown()))),
  pack: v.optional(v.nullable(v.string()), null),
  /** Overrides the header's modality where a file has none (PNG, JPEG). */
  modality: v.optional(v.nullable(v.string()), null),
  seed: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffffffff)), 0),
  /** 0 is greedy. */
  temperature: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(2)), 0),
  topP: v.optional(v.pipe(v.number(), v.minValue(0.01), v.maxValue(1)), 1),
  maxTokens: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(4096)), 160),
  ground: v.optional(v.boolean(), true),
  /** Above this the evidence map waits for a button. */
  groundBudgetSeconds: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(3600)), 30),
  /** Set by the host: slices of the series that are not in `views`. */
  unseenSlices: v.optional(count, 0),
});
export type Question = v.InferOutput<typeof questionSchema>;
export type QuestionInput = v.InferInput<typeof questionSchema>;

/** Which frames a question about a file, a folder or a UID is to see. */
export const viewsRequestSchema = v.object({
  target: v.union([v.object({ path: v.string() }), v.object({ uid: v.string() })]),
  /** From 1; null: the pack's number of frames, spaced evenly in display order. */
  frame: v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1))), null),
  pack: v.optional(v.nullable(v.string()), null),
});
export type ViewsRequest = v.InferOutput<typeof viewsRequestSchema>;

export const viewsChoiceSchema = v.object({
  views: v.array(viewSchema),
  /** Frames of the series in all. */
  slices: count,
});
export type ViewsChoice = v.InferOutput<typeof viewsChoiceSchema>;

export const scopeSchema = v.object({
  status: v.picklist(["in", "out", "uncertain", "not-assessed"]),
  reason: v.string(),
});
export type Scope = v.InferOutput<typeof scopeSchema>;

export const sentenceSchema = v.object({
  text: v.string(),
  /** UTF-16 offsets into the answer's text. */
  start: count,
  end: count,
  /** Null until the pack is calibrated. */
  probability: v.nullable(v.number()),
  ...sentenceEvidenceSchema.entries,
});
export type Sentence = v.InferOutput<typeof sentenceSchema>;

export const stopSchema = v.picklist(["end", "length", "cancelled", "refused"]);

export const timingSchema = v.object({
  load_ms: v.number(),
  image_ms: v.number(),
  prefill_ms: v.number(),
  first_token_ms: v.number(),
  decode_tokens_per_s: v.number(),
  grounding_ms: v.number(),
  evaluations: count,
});
export type Timing = v.InferOutput<typeof timingSchema>;

/** The JSON of `meditron ask`, of the answer record and of the `done` event. */
export const answerSchema = v.object({
  question: v.string(),
  pack: v.object({ name: v.string(), version: v.string(), digest: v.string() }),
  provider: v.string(),
  seed: v.number(),
  views: v.array(viewSchema),
  scope: scopeSchema,
  answer: v.object({
    text: v.string(),
    stop: stopSchema,
    sentences: v.array(sentenceSchema),
    /** The text as data, where the question gave a schema: valid by it. */
    structured: v.optional(v.unknown()),
  }),
  timing: timingSchema,
  tokens: v.object({ prompt: count, image: count, reused: count, answer: count }),
  warnings: v.array(v.string()),
});
export type Answer = v.InferOutput<typeof answerSchema>;

/** An answer as the archive keeps it, bound to its patient, study, series and slice. */
export const answerRecordSchema = v.object({
  id: v.string(),
  /** ISO 8601, UTC. */
  askedAt: v.string(),
  subject: frameSummarySchema,
  input: questionSchema,
  answer: answerSchema,
  /** Told when it is read: since this moment the study shows another file of an image that it is about. */
  imageExchangedAt: v.optional(v.string()),
});
export type AnswerRecord = v.InferOutput<typeof answerRecordSchema>;

/** What answers.ask yields, in this order: progress*, accepted, token*, sentence*, evidence*, done. */
export const answerEventSchema = v.variant("type", [
  v.object({
    type: v.literal("progress"),
    stage: v.picklist(["load", "image", "prefill", "decode", "reliance", "map", "region"]),
    /** 0..1, or null where the length is not known. */
    fraction: v.nullable(v.number()),
    remaining_ms: v.nullable(v.number()),
  }),
  v.object({
    type: v.literal("accepted"),
    id: v.string(),
    subject: frameSummarySchema,
    scope: scopeSchema,
    warnings: v.array(v.string()),
  }),
  v.object({ type: v.literal("token"), text: v.string() }),
  v.object({ type: v.literal("sentence"), index: count, sentence: sentenceSchema }),
  v.object({ type: v.literal("evidence"), index: count, sentence: sentenceSchema }),
  v.object({ type: v.literal("done"), answer: answerSchema }),
]);
export type AnswerEvent = v.InferOutput<typeof answerEventSchema>;
