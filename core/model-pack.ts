import * as v from "valibot";

/** Bits of a weight that an import can choose: of the language model, and with 16 of the image encoder too. */
export const packWeights = ["4bit", "4bit-mixed", "8bit", "16bit"] as const;
export type PackWeights = (typeof packWeights)[number];

/** A measured figure of a pack card: never without the command that repeats it. */
export const figureSchema = v.object({
  name: v.string(),
  value: v.number(),
  unit: v.string(),
  /** 95 % interval; null where the figure is a count. */
  interval: v.nullable(v.tuple([v.number(), v.number()])),
  cases: v.number(),
  data: v.string(),
  command: v.string(),
  date: v.string(),
});
export type Figure = v.InferOutput<typeof figureSchema>;

/** One thing a pack is for. An empty list means "any". Values are DICOM's (Modality, Body Part Examined, View Position). */
export const intendedInputSchema = v.object({
  name: v.string(),
  modalities: v.array(v.string()),
  bodyParts: v.array(v.string()),
  views: v.array(v.string()),
});
export type IntendedInput = v.InferOutput<typeof intendedInputSchema>;

export const packCardSchema = v.object({
  title: v.string(),
  summary: v.string(),
  researchUse: v.string(),
  trainingData: v.array(
    v.object({
      name: v.string(),
      part: v.string(),
      images: v.number(),
      licence: v.string(),
      attribution: v.string(),
    }),
  ),
  split: v.string(),
  figures: v.array(figureSchema),
  knownFailures: v.array(v.string()),
});
export type PackCard = v.InferOutput<typeof packCardSchema>;

/** What the app shows of an installed pack. */
export const packSummarySchema = v.object({
  name: v.string(),
  version: v.string(),
  digest: v.string(),
  licence: v.string(),
  architecture: v.string(),
  bytes: v.number(),
  embedded: v.boolean(),
  calibrated: v.boolean(),
  contextLength: v.number(),
  maxViews: v.number(),
  intendedFor: v.array(intendedInputSchema),
  card: packCardSchema,
});
export type PackSummary = v.InferOutput<typeof packSummarySchema>;

/** One execution provider and what its self-test on this machine said. */
export const providerStatusSchema = v.object({
  name: v.string(),
  status: v.picklist(["in-use", "works", "not-available", "wrong-result", "failed"]),
  reason: v.string(),
  /** Median of the probe graph; null where it did not run. */
  probe_ms: v.nullable(v.number()),
  /** The app's developers have not seen it run: "auto" takes it only where IT has installed it for the purpose. */
  unproven: v.optional(v.boolean()),
  /** It encodes images; the language model runs on the CPU. */
  images_only: v.optional(v.boolean()),
  /** Found at an earlier start with the same runtime and drivers. */
  remembered: v.optional(v.boolean()),
  /** Of the pack that was loaded last: milliseconds a token, where it was measured on several. */
  token_ms: v.optional(v.nullable(v.number())),
});
export type ProviderStatus = v.InferOutput<typeof providerStatusSchema>;

/** Whose signature a pack carries. */
export const packSignerSchema = v.variant("type", [
  /** `fingerprint`: SHA-256 of the key's PEM, hex. */
  v.object({ type: v.literal("key"), fingerprint: v.string() }),
  /** `fingerprint`: SHA-256 of the certificate, hex. */
  v.object({ type: v.literal("certificate"), subject: v.string(), fingerprint: v.string() }),
]);
export type PackSigner = v.InferOutput<typeof packSignerSchema>;

/** What is known of a pack's signature; "unchecked": it is there, and nothing says whose signatures count. */
export const packSignatureSchema = v.variant("status", [
  v.object({ status: v.literal("none") }),
  v.object({ status: v.literal("unchecked") }),
  v.object({ status: v.literal("holds"), signer: packSignerSchema }),
]);
export type PackSignature = v.InferOutput<typeof packSignatureSchema>;

/** Who signed an installed pack, and whether it may be used on this machine. */
export const packStandingSchema = v.object({
  name: v.string(),
  /** The pack's digest; null: its pack.json cannot be read, and `name` is its folder's. */
  digest: v.nullable(v.string()),
  signed: v.boolean(),
  /** Whom the signature names. Checked only where `decision` says "trusted"; null: nobody, or it cannot be read. */
  signer: v.nullable(packSignerSchema),
  decision: v.variant("status", [
    /** Came with the app, which is not asked for a signature. */
    v.object({ status: v.literal("shipped") }),
    /** Nothing says whose signatures count: every pack is used. */
    v.object({ status: v.literal("no-policy") }),
    /** The policy names its signer, and the signature holds. */
    v.object({ status: v.literal("trusted") }),
    /** Not signed, which the policy allows. */
    v.object({ status: v.literal("allowed") }),
    v.object({
      status: v.literal("refused"),
      cause: v.picklist(["unsigned", "unknown-signer", "changed", "unreadable", "damaged"]),
      reason: v.string(),
    }),
  ]),
});
export type PackStanding = v.InferOutput<typeof packStandingSchema>;

/** Whose signatures count, from the policy of a site. */
export interface PackTrust {
  /** Packs without a signature: used, or refused. A wrong signature is refused always. */
  readonly unsigned: "allow" | "refuse";
  /** Public keys, PEM. */
  readonly keys: readonly string[];
  /** Certificates of authorities (or of signers), PEM; several may stand in one text. */
  readonly certificates: readonly string[];
}
