import { type Element, element, file } from "../../../fixtures/dicom/build-dicom.ts";

export interface DirectoryEntry {
  /** The components of Referenced File ID; none for records of patients, studies and series. */
  readonly file?: readonly string[];
  readonly inUse?: boolean;
}

/** A DICOMDIR whose records stand one after another, without offsets. */
export function makeDicomdir(entries: readonly DirectoryEntry[]): Buffer {
  const records = entries.map(({ file: id, inUse = true }): Element[] => [
    element(0x00041410, "US", inUse ? 0xffff : 0),
    element(0x00041430, "CS", id ? "IMAGE" : "PATIENT"),
    ...(id ? [element(0x00041500, "CS", id.join("\\"))] : [element(0x00100010, "PN", "Listed^Person")]),
  ]);
  return Buffer.from(file([element(0x00041220, "SQ", records)], "1.2.840.10008.1.2.1"));
}
