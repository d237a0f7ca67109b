import type { HeaderFacts } from "../../core/frame.ts";
import type { ConcatenationPart } from "../../core/slice-order.ts";
import type { InstanceUid, SeriesUid, Study, StudyUid } from "../../core/study.ts";
import type { Variant } from "../../core/variant.ts";
import type { ObjectId } from "./objects.ts";

/** The bodies of the sealed rows, as JSON. A member that is added must be optional here or come by a migration. */

export type StudyRow = Study & {
  /** Of all objects, before encryption. */
  readonly bytes: number;
};

export interface SeriesRow {
  readonly seriesInstanceUid: SeriesUid;
  readonly studyInstanceUid: StudyUid;
  readonly modality: string;
  readonly seriesNumber: number | null;
  readonly seriesDescription: string;
  readonly bodyPartExamined: string;
}

export interface InstanceRow {
  readonly sopInstanceUid: InstanceUid;
  readonly seriesInstanceUid: SeriesUid;
  readonly studyInstanceUid: StudyUid;
  readonly sopClassUid: string;
  readonly transferSyntaxUid: string;
  readonly instanceNumber: number | null;
  readonly numberOfFrames: number;
  readonly rows: number;
  readonly columns: number;
  readonly hasPixels: boolean;
  readonly position: readonly [number, number, number] | null;
  readonly orientation: readonly [number, number, number, number, number, number] | null;
  readonly laterality: string;
  readonly facts: HeaderFacts;
  /** Absent in rows of images that were imported before it was read. */
  readonly concatenation?: ConcatenationPart | null;
  /** Absent too where the index was made again. */
  readonly importedAt?: string;
  readonly object: ObjectId;
  readonly bytes: number;
  /** SHA-256 of the file as it was imported, as hex. */
  readonly sha256: string;
}

export type VariantRow = Variant & {
  readonly object: ObjectId;
};
