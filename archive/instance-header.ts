import type { HeaderFacts } from "../core/frame.ts";
import type { ConcatenationPart } from "../core/slice-order.ts";
import type { InstanceUid, SeriesUid, StudyUid } from "../core/study.ts";

/**
 * What the index keeps of one DICOM object: the seam between `dicom/` (which reads it from the octets) and
 * `store/` (which keeps it). Text is decoded in the object's character set and trimmed; empty where the header
 * has none.
 */
export interface InstanceHeader {
  readonly studyInstanceUid: StudyUid;
  readonly seriesInstanceUid: SeriesUid;
  readonly sopInstanceUid: InstanceUid;
  readonly sopClassUid: string;
  readonly transferSyntaxUid: string;
  readonly patientName: string;
  readonly patientId: string;
  /** DA as stored, YYYYMMDD. */
  readonly patientBirthDate: string;
  readonly patientSex: string;
  readonly studyDate: string;
  readonly studyTime: string;
  readonly studyDescription: string;
  readonly accessionNumber: string;
  readonly modality: string;
  readonly seriesNumber: number | null;
  readonly seriesDescription: string;
  readonly bodyPartExamined: string;
  readonly laterality: string;
  readonly instanceNumber: number | null;
  /** Null where the file is whole in itself. */
  readonly concatenation: ConcatenationPart | null;
  readonly numberOfFrames: number;
  readonly rows: number;
  readonly columns: number;
  readonly hasPixels: boolean;
  /** Image Position (Patient) in mm and Image Orientation (Patient), of the first frame. */
  readonly position: readonly [number, number, number] | null;
  readonly orientation: readonly [number, number, number, number, number, number] | null;
  /** Made by the app itself. */
  readonly phantom: boolean;
  readonly facts: HeaderFacts;
}
