import { appError } from "../../core/errors.ts";
import type { FrameSummary } from "../../core/frame.ts";
import type { ConcatenationPart } from "../../core/slice-order.ts";
import type { InstanceUid, SeriesUid, StudyUid } from "../../core/study.ts";
import type { InstanceHeader } from "../instance-header.ts";
import type { DataSet } from "./data-set.ts";
import { headerFacts } from "./facts.ts";
import { framePlacement, groupItem } from "./frame-groups.ts";
import type { DicomHeader } from "./parse-header.ts";
import { tags } from "./tags.ts";

/** Studies that this app drew itself carry this manufacturer and are shown as phantoms. */
export const phantomManufacturer = "MEDITRON Imaging Assistant (phantom)";

const directoryClass = "1.2.840.10008.1.3.10";

/**
 * What the index keeps of a file.
 * @throws not-dicom for a DICOMDIR, dicom-damaged where an identifier is missing or no UID.
 */
export function instanceHeader(header: DicomHeader): InstanceHeader {
  const { dataSet, meta } = header;
  const metaClass = meta?.string(tags.mediaStorageSopClass) ?? "";
  if (metaClass === directoryClass) {
    throw appError("not-dicom", "A DICOMDIR lists files; it is no image itself.");
  }
  const placement = framePlacement(dataSet, 1);
  return {
    studyInstanceUid: requiredUid(dataSet.string(tags.studyInstance), "study") as StudyUid,
    seriesInstanceUid: requiredUid(dataSet.string(tags.seriesInstance), "series") as SeriesUid,
    sopInstanceUid: requiredUid(
      dataSet.string(tags.sopInstance) || (meta?.string(tags.mediaStorageSopInstance) ?? ""),
      "instance",
    ) as InstanceUid,
    sopClassUid: dataSet.string(tags.sopClass) || metaClass,
    transferSyntaxUid: header.syntax.uid,
    patientName: dataSet.string(tags.patientName),
    patientId: dataSet.string(tags.patientId),
    patientBirthDate: dataSet.string(tags.patientBirthDate),
    patientSex: dataSet.string(tags.patientSex),
    studyDate: dataSet.string(tags.studyDate),
    studyTime: dataSet.string(tags.studyTime),
    studyDescription: dataSet.string(tags.studyDescription),
    accessionNumber: dataSet.string(tags.accessionNumber),
    modality: dataSet.string(tags.modality),
    seriesNumber: wholeNumber(dataSet.number(tags.seriesNumber)),
    seriesDescription: dataSet.string(tags.seriesDescription),
    bodyPartExamined: dataSet.string(tags.bodyPart),
    laterality: lateralityOf(dataSet, 1),
    instanceNumber: wholeNumber(dataSet.number(tags.instanceNumber)),
    concatenation: concatenationPart(dataSet),
    numberOfFrames: header.pixels ? frameCount(dataSet) : 0,
    rows: dimension(dataSet.number(tags.rows)),
    columns: dimension(dataSet.number(tags.columns)),
    hasPixels: header.pixels !== null,
    position: placement.position,
    orientation: placement.orientation,
    phantom: isPhantom(dataSet),
    facts: headerFacts(dataSet),
  };
}

/**
 * What is shown around one frame and kept on an answer card.
 * @throws as instanceHeader
 */
export function frameSummary(header: DicomHeader, frame: number): FrameSummary {
  const index = instanceHeader(header);
  return {
    studyInstanceUid: index.studyInstanceUid,
    seriesInstanceUid: index.seriesInstanceUid,
    sopInstanceUid: index.sopInstanceUid,
    frame,
    frameCount: Math.max(1, index.numberOfFrames),
    patientName: index.patientName,
    patientId: index.patientId,
    studyDate: index.studyDate,
    studyDescription: index.studyDescription,
    seriesDescription: index.seriesDescription,
    seriesNumber: index.seriesNumber,
    instanceNumber: index.instanceNumber,
    laterality: lateralityOf(header.dataSet, frame),
    phantom: index.phantom,
    facts: index.facts,
  };
}

/** Null too where UID or number is missing: such a part has no place among the others. */
function concatenationPart(dataSet: DataSet): ConcatenationPart | null {
  const uid = dataSet.string(tags.concatenation);
  const number = wholeNumber(dataSet.number(tags.inConcatenationNumber));
  return uid !== "" && number !== null && number >= 1 ? { uid, number } : null;
}

/** Number of Frames (PS3.3 C.7.6.6.1.1); 1 where it is missing or nonsense. */
export function frameCount(dataSet: DataSet): number {
  const count = dataSet.number(tags.numberOfFrames);
  return count !== null && Number.isInteger(count) && count >= 1 && count <= 1_000_000 ? count : 1;
}

/** Image Laterality, of the frame where the file says so frame by frame, else Laterality of the series. */
function lateralityOf(dataSet: DataSet, frame: number): string {
  const anatomy = groupItem(dataSet, frame, tags.frameAnatomy);
  return (
    anatomy?.string(tags.frameLaterality) ||
    dataSet.string(tags.imageLaterality) ||
    dataSet.string(tags.laterality)
  );
}

function isPhantom(dataSet: DataSet): boolean {
  return dataSet.string(tags.manufacturer) === phantomManufacturer;
}

function requiredUid(text: string, name: string): string {
  if (!/^[0-9][0-9.]{0,63}$/.test(text)) {
    throw appError("dicom-damaged", `The file has no usable ${name} identifier (UID).`);
  }
  return text;
}

function wholeNumber(value: number | null): number | null {
  return value !== null && Number.isSafeInteger(value) ? value : null;
}

function dimension(value: number | null): number {
  return value !== null && Number.isInteger(value) && value > 0 && value <= 65_535 ? value : 0;
}
