import * as v from "valibot";

/** A DICOM unique identifier (PS3.5 section 9.1): digits and dots, at most 64 characters. */
export type Uid<Kind extends string> = string & { readonly uidOf: Kind };
export type StudyUid = Uid<"study">;
export type SeriesUid = Uid<"series">;
export type InstanceUid = Uid<"instance">;

// Real archives hold UIDs with leading zeros; the form is checked, not the arithmetic of the components.
const uidText = v.pipe(v.string(), v.regex(/^[0-9][0-9.]{0,63}$/, "not a DICOM UID"));
const branded = <Kind extends string>() =>
  v.pipe(
    uidText,
    v.transform((text) => text as Uid<Kind>),
  );

export const studyUidSchema = branded<"study">();
export const seriesUidSchema = branded<"series">();
export const instanceUidSchema = branded<"instance">();

/** One row of the worklist. Dates are DICOM DA (YYYYMMDD) as stored; empty text where the header has none. */
export const studySchema = v.object({
  studyInstanceUid: studyUidSchema,
  patientName: v.string(),
  patientId: v.string(),
  patientBirthDate: v.string(),
  patientSex: v.string(),
  studyDate: v.string(),
  studyTime: v.string(),
  studyDescription: v.string(),
  accessionNumber: v.string(),
  modalities: v.array(v.string()),
  seriesCount: v.number(),
  instanceCount: v.number(),
  /** Made by the app itself, not by a scanner; always shown as such. */
  phantom: v.boolean(),
  importedAt: v.string(),
});
export type Study = v.InferOutput<typeof studySchema>;

export const instanceSchema = v.object({
  sopInstanceUid: instanceUidSchema,
  sopClassUid: v.string(),
  instanceNumber: v.nullable(v.number()),
  numberOfFrames: v.number(),
  rows: v.number(),
  columns: v.number(),
  /** False for objects without an image (reports, plans). */
  hasPixels: v.boolean(),
});
export type Instance = v.InferOutput<typeof instanceSchema>;

/** Instances stand in display order: by position along the slice normal where there is one, else by number. */
export const seriesSchema = v.object({
  seriesInstanceUid: seriesUidSchema,
  studyInstanceUid: studyUidSchema,
  modality: v.string(),
  seriesNumber: v.nullable(v.number()),
  seriesDescription: v.string(),
  bodyPartExamined: v.string(),
  instances: v.array(instanceSchema),
});
export type Series = v.InferOutput<typeof seriesSchema>;
