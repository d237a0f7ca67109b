import * as v from "valibot";
import { keyProtectionSchema } from "./settings.ts";
import { studyUidSchema } from "./study.ts";

/** What is wrong with a part of the archive or of a backup. */
export const archiveProblemSchema = v.object({
  kind: v.picklist([
    /** A stored file is not what was written, or is gone. */
    "file-damaged",
    "file-missing",
    /** The index is not what was written; the next start makes it again from the files. */
    "index-damaged",
    /** Stored files that no entry of the index names. */
    "file-unnamed",
  ]),
  /** Null where it concerns no study, or none that can be told. */
  studyInstanceUid: v.nullable(studyUidSchema),
  /** For the user: what it is and what to do. */
  message: v.string(),
});
export type ArchiveProblem = v.InferOutput<typeof archiveProblemSchema>;

const progress = v.object({ type: v.literal("progress"), done: v.number(), total: v.number() });
const problem = v.object({ type: v.literal("problem"), problem: archiveProblemSchema });

export const checkEventSchema = v.variant("type", [
  progress,
  problem,
  v.object({
    type: v.literal("done"),
    studies: v.number(),
    images: v.number(),
    variants: v.number(),
    answers: v.number(),
    /** Octets that were read and compared. */
    bytes: v.number(),
    problems: v.number(),
  }),
]);
export type CheckEvent = v.InferOutput<typeof checkEventSchema>;

/** Of a backup that is made, and of one that is restored. */
export const backupEventSchema = v.variant("type", [
  progress,
  problem,
  v.object({
    type: v.literal("done"),
    studies: v.number(),
    images: v.number(),
    files: v.number(),
    bytes: v.number(),
    problems: v.number(),
  }),
]);
export type BackupEvent = v.InferOutput<typeof backupEventSchema>;

/** What a folder says of the backup in it. Nothing of it is proven before it is restored. */
export const backupInfoSchema = v.object({
  madeAt: v.string(),
  studies: v.number(),
  images: v.number(),
  bytes: v.number(),
  protection: keyProtectionSchema,
  /** What has to be given to restore it here; the recovery key always does. */
  needs: v.picklist(["nothing", "passphrase", "recovery-key"]),
});
export type BackupInfo = v.InferOutput<typeof backupInfoSchema>;

/** An archive that a restored backup took the place of. It lies in the data folder until it is deleted. */
export const setAsideArchiveSchema = v.object({
  /** Of its folder, and the moment when it was set aside, in UTC: `2026-01-31T08-30-00`. */
  name: v.pipe(v.string(), v.regex(/^\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}$/)),
  bytes: v.number(),
});
export type SetAsideArchive = v.InferOutput<typeof setAsideArchiveSchema>;
