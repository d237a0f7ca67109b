import * as v from "valibot";

const bytes = v.pipe(v.number(), v.integer(), v.minValue(0));

/** What a pack will take of this machine's memory, estimated from its files before it is loaded. */
export const packFitSchema = v.object({
  pack: v.string(),
  digest: v.string(),
  /** What it would run on by the settings. */
  provider: v.string(),
  /** "tight": more than is free now; "too-large": more than there is. "unknown": free memory cannot be told here. */
  status: v.picklist(["fits", "tight", "too-large", "unknown"]),
  /** In a sentence, with what to do. */
  text: v.string(),
  /** Main memory; `free_bytes` counts what the process for models holds already. */
  needs_bytes: bytes,
  free_bytes: v.nullable(bytes),
  total_bytes: v.nullable(bytes),
  /** Memory of a graphics card; null where it runs on the processor. What is free there cannot be asked everywhere. */
  device: v.nullable(v.object({ needs_bytes: bytes, free_bytes: v.nullable(bytes) })),
  /** Of both memories together. */
  parts: v.object({ app: bytes, weights: bytes, cache: bytes, images: bytes }),
  /** By which the memory grows with each token of a conversation. */
  cache_token_bytes: bytes,
});
export type PackFit = v.InferOutput<typeof packFitSchema>;
