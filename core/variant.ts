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
 * A file with the SOP Instance UID of the one that the study shows, and other content. It came later, or was shown
 * until the other was chosen; it is kept and can be read.
 */
export const variantSchema = v.object({
  id: variantIdSchema,
  /** Those of the shown file; the variant's own may differ, which `difference` says. */
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
  /** The file that the study shows. */
  first: v.object({
    bytes: v.number(),
    sha256: v.string(),
    /** Absent where it came before this was kept. */
    importedAt: v.optional(v.string()),
  }),
  /** From the shown file to this one. Null where either is damaged, so that nothing can be compared. */
  difference: v.nullable(fileDifferenceSchema),
  /** When somebody chose which file is shown; absent where nobody did and the first that came is. */
  chosenAt: v.optional(v.string()),
});
export type Variant = v.InferOutput<typeof variantSchema>;

export const studyConflictsSchema = v.object({ studyInstanceUid: studyUidSchema, files: v.number() });
export type StudyConflicts = v.InferOutput<typeof studyConflictsSchema>;
