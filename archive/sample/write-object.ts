import { createHash } from "node:crypto";
import { data } from "dcmjs";

/** An object to be written: attributes by keyword, as PS3.6 names them. */
export interface PhantomObject {
  /** File name without its ending. */
  readonly name: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly pixels: Uint8Array;
}

const explicitLittleEndian = "1.2.840.10008.1.2.1";

/** A DICOM file (PS3.10), Explicit VR Little Endian. */
export function writeObject(object: PhantomObject): Uint8Array {
  const { DicomMetaDictionary, DicomDict } = data;
  const pixels = object.pixels;
  const dataset = {
    ...object.attributes,
    PixelData: [pixels.buffer.slice(pixels.byteOffset, pixels.byteOffset + pixels.byteLength)],
    _vrMap: { PixelData: object.attributes["BitsAllocated"] === 8 ? "OB" : "OW" },
  };
  const meta = {
    MediaStorageSOPClassUID: object.attributes["SOPClassUID"],
    MediaStorageSOPInstanceUID: object.attributes["SOPInstanceUID"],
    TransferSyntaxUID: explicitLittleEndian,
    ImplementationClassUID: uidFor("implementation"),
    ImplementationVersionName: "MEDITRON_PHANTOM",
    FileMetaInformationVersion: [Uint8Array.of(0, 1).buffer],
    _vrMap: {},
  };
  const file = new DicomDict(DicomMetaDictionary.denaturalizeDataset(meta));
  file.dict = DicomMetaDictionary.denaturalizeDataset(dataset);
  return new Uint8Array(file.write());
}

/** A UID that depends on the name alone: 2.25 and 128 bits as a number (PS3.5 B.2). */
export function uidFor(name: string): string {
  const digest = createHash("sha256").update(`meditron phantom ${name}`).digest("hex").slice(0, 32);
  return `2.25.${BigInt(`0x${digest}`).toString()}`;
}
