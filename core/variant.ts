import * as v from "valibot";
import { instanceUidSchema, seriesUidSchema, studyUidSchema } from "./study.ts";

/** How two files with the same SOP Instance UID differ, without text that may name a patient. */
export const fileDifferenceSchema = v.object({
  /** Of the pixel values as they are stored; "none": neither file has any. */
  pixels: v.picklist(["same", "different", "none"]),
  /**
   * Elements of the header that differ, in order of their tags. Values stand only where the attribute is technical
   * (sizes, windows, positions); of all others it is said that they differ, not how.
   */
  elements: v.array(
    v.object({
      /** "(0028,0010)" */
      tag: v.string(),
      /** Empty for private and unknown elements. */
      keyword: v.string(),
      first: v.nullable(v.string()),
      second: v.nullable(v.string()),
    }),
  ),
  /** Differing elements beyond those that are listed. */
  moreElements: v.number(),
});
export type FileDifference = v.InferOutput<typeof fileDifferenceSchema>;

export const variantIdSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, "not the id of a variant"));

/**
 * A file that came later with the SOP Instance UID of one that was there, and other content. The first stays what
 * the study shows; the variant is kept beside it and can be read.
 */
export const variantSchema = v.object({
  id: variantIdSchema,
  /** Those of the first file; the variant's own may differ, which `difference` says. */
  sopInstanceUid: instanceUidSchema,
  seriesInstanceUid: seriesUidSchema,
  studyInstanceUid: studyUidSchema,
  instanceNumber: v.nullable(v.number()),
  importedAt: v.string(),
  /** Octets of the file. */
  bytes: v.number(),
  /** SHA-256 of the file, as hex. */
  sha256: v.string(),
  numberOfFrames: v.number(),
  first: v.object({ bytes: v.number(), sha256: v.string() }),
  /** Null where the stored first file is damaged, so that nothing can be compared. */
  difference: v.nullable(fileDifferenceSchema),
});
export type Variant = v.InferOutput<typeof variantSchema>;
