import * as v from "valibot";
import { studyUidSchema } from "./study.ts";
import { variantSchema } from "./variant.ts";

const errorSchema = v.object({ code: v.string(), message: v.string() });

export const importEventSchema = v.variant("type", [
  /** Counting goes on while importing: `found` grows until `counted`. */
  v.object({ type: v.literal("progress"), found: v.number(), counted: v.boolean(), done: v.number() }),
  /** `name` is the file's own name without its folder. */
  v.object({ type: v.literal("failed"), name: v.string(), error: errorSchema }),
  /** A file with the UID of one that is there and other content: kept beside it. `name` as above. */
  v.object({ type: v.literal("conflict"), name: v.string(), variant: variantSchema }),
  /** A file that was taken, or was there already, and that cannot be shown as a whole. `name` as above. */
  v.object({ type: v.literal("partial"), name: v.string(), error: errorSchema }),
  /** Something about the whole that the user should know; no file was lost by it. `name` as above. */
  v.object({ type: v.literal("warning"), name: v.string(), error: errorSchema }),
  v.object({
    type: v.literal("done"),
    imported: v.number(),
    duplicates: v.number(),
    /** Same UID, other content: the first stays, and the other is kept beside it. */
    conflicts: v.number(),
    /** Files that are no DICOM. */
    ignored: v.number(),
    failed: v.number(),
    studies: v.array(studyUidSchema),
  }),
]);
export type ImportEvent = v.InferOutput<typeof importEventSchema>;

/** One line of `meditron dicom check`; the order and names of the members are a public format. */
export const dicomCheckSchema = v.object({
  file: v.string(),
  status: v.picklist(["ok", "partial", "no-pixels", "error"]),
  error: v.nullable(errorSchema),
  transferSyntax: v.nullable(v.string()),
  sopClass: v.nullable(v.string()),
  frames: v.number(),
  framesDecoded: v.number(),
  rows: v.nullable(v.number()),
  columns: v.nullable(v.number()),
  samples: v.nullable(v.number()),
  bitsAllocated: v.nullable(v.number()),
  bitsStored: v.nullable(v.number()),
  signed: v.nullable(v.boolean()),
  photometric: v.nullable(v.string()),
  sha256: v.array(v.string()),
  warnings: v.array(v.string()),
});
export type DicomCheck = v.InferOutput<typeof dicomCheckSchema>;

export const headerElementSchema = v.object({
  /** "(0010,0010)" */
  tag: v.string(),
  keyword: v.string(),
  vr: v.string(),
  value: v.string(),
  depth: v.number(),
});
export type HeaderElement = v.InferOutput<typeof headerElementSchema>;

export const archiveHealthSchema = v.object({
  studies: v.number(),
  instances: v.number(),
  bytes: v.number(),
  schemaVersion: v.number(),
  /** What was set right when the archive was opened (half-written objects removed, and the like). */
  repairs: v.array(v.string()),
});
export type ArchiveHealth = v.InferOutput<typeof archiveHealthSchema>;

/** Files: gone through, and found; `counted` where no more are to be found. */
export const importCountsSchema = v.object({ done: v.number(), found: v.number(), counted: v.boolean() });
export type ImportCounts = v.InferOutput<typeof importCountsSchema>;

/** An import that was cut short and can go on. */
export const unfinishedImportSchema = v.object({
  id: v.string(),
  /** As the user gave them. */
  paths: v.array(v.string()),
  startedAt: v.string(),
  /** Where it was when it last wrote to the archive; null where it had not come that far. */
  progress: v.nullable(importCountsSchema),
});
export type UnfinishedImport = v.InferOutput<typeof unfinishedImportSchema>;
