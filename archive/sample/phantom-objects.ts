import { phantomManufacturer } from "../dicom/read-instance.ts";
import type { Echo } from "./breast-ultrasound.ts";
import type { Film } from "./expose-film.ts";
import { ctPixel, ctSize, ctSlices, ctSpacing, sliceHeight } from "./thorax-ct.ts";
import { uidFor, type PhantomObject } from "./write-object.ts";

type Attributes = Readonly<Record<string, unknown>>;

const comment =
  "PHANTOM. Drawn by software from simple shapes; shows no patient and no real disease. Not for diagnosis.";
const crImage = "1.2.840.10008.5.1.4.1.1.1";
const ctImage = "1.2.840.10008.5.1.4.1.1.2";
const ultrasoundImage = "1.2.840.10008.5.1.4.1.1.6.1";

interface Series {
  readonly patient: string;
  readonly study: string;
  readonly series: string;
  readonly modality: string;
  readonly sopClass: string;
  readonly bodyPart: string;
}

export function chestObject(film: Film, seed: number): PhantomObject {
  const series: Series = {
    patient: "CHEST",
    study: "Phantom chest radiograph",
    series: "Chest PA (phantom)",
    modality: "CR",
    sopClass: crImage,
    bodyPart: "CHEST",
  };
  return radiograph(film, { series, view: "PA", orientation: ["L", "F"], spacing: 0.43 }, seed);
}

export function handObject(film: Film, seed: number): PhantomObject {
  const series: Series = {
    patient: "HAND",
    study: "Phantom hand radiograph",
    series: "Left hand PA (phantom)",
    modality: "CR",
    sopClass: crImage,
    bodyPart: "HAND",
  };
  const made = radiograph(film, { series, view: "PA", orientation: ["R", "F"], spacing: 0.28 }, seed);
  return { ...made, attributes: { ...made.attributes, ImageLaterality: "L" } };
}

export function breastObject(echo: Echo, seed: number): PhantomObject {
  const series: Series = {
    patient: "BREAST",
    study: "Phantom breast ultrasound",
    series: "Left breast (phantom)",
    modality: "US",
    sopClass: ultrasoundImage,
    bodyPart: "BREAST",
  };
  return {
    name: "phantom-breast",
    pixels: echo.values,
    attributes: {
      ...common(series, { seed, number: 1 }),
      ImageType: ["ORIGINAL", "PRIMARY"],
      PatientOrientation: "",
      ImageLaterality: "L",
      LossyImageCompression: "00",
      ...grey(echo, { allocated: 8, stored: 8 }),
      WindowCenter: 128,
      WindowWidth: 256,
    },
  };
}

export function ctObject(image: { values: Int16Array; slice: number }, seed: number): PhantomObject {
  const series: Series = {
    patient: "THORAX",
    study: "Phantom chest CT",
    series: "Axial 3 mm (phantom)",
    modality: "CT",
    sopClass: ctImage,
    bodyPart: "CHEST",
  };
  const corner = (-(ctSize - 1) / 2) * ctPixel;
  const z = sliceHeight(image.slice);
  const stored = Uint16Array.from(image.values, (value) => Math.min(4095, Math.max(0, value + 1024)));
  return {
    name: `phantom-ct-${String(image.slice + 1).padStart(2, "0")}`,
    pixels: new Uint8Array(stored.buffer),
    attributes: {
      ...common(series, { seed, number: image.slice + 1 }),
      ImageType: ["ORIGINAL", "PRIMARY", "AXIAL"],
      PatientPosition: "HFS",
      KVP: 120,
      SliceThickness: ctSpacing,
      SpacingBetweenSlices: ctSpacing,
      ConvolutionKernel: "PHANTOM",
      AcquisitionNumber: 1,
      FrameOfReferenceUID: uidFor(`${seed} ${series.patient} frame`),
      PositionReferenceIndicator: "",
      ImagePositionPatient: [corner, corner, z],
      ImageOrientationPatient: [1, 0, 0, 0, 1, 0],
      SliceLocation: z,
      ImagesInAcquisition: ctSlices,
      PixelSpacing: [ctPixel, ctPixel],
      ...grey({ rows: ctSize, columns: ctSize }, { allocated: 16, stored: 12 }),
      RescaleIntercept: -1024,
      RescaleSlope: 1,
      RescaleType: "HU",
      WindowCenter: [-550, 40],
      WindowWidth: [1500, 400],
      WindowCenterWidthExplanation: ["LUNG", "SOFT TISSUE"],
    },
  };
}

interface Projection {
  readonly series: Series;
  readonly view: string;
  readonly orientation: readonly [string, string];
  /** mm at the detector. */
  readonly spacing: number;
}

function radiograph(film: Film, projection: Projection, seed: number): PhantomObject {
  const { series, view, orientation, spacing } = projection;
  const sorted = film.values.filter((_, i) => i % 11 === 0).toSorted();
  const low = sorted[Math.floor(sorted.length * 0.01)]!;
  const high = sorted[Math.floor(sorted.length * 0.995)]!;
  return {
    name: `phantom-${series.patient.toLowerCase()}`,
    pixels: new Uint8Array(film.values.buffer, film.values.byteOffset, film.values.byteLength),
    attributes: {
      ...common(series, { seed, number: 1 }),
      ImageType: ["ORIGINAL", "PRIMARY"],
      ViewPosition: view,
      PatientOrientation: orientation,
      ImagerPixelSpacing: [spacing, spacing],
      ...grey(film, { allocated: 16, stored: 12 }),
      WindowCenter: Math.round((low + high) / 2),
      WindowWidth: high - low,
    },
  };
}

/** Patient, General Study, General Series, Equipment, General Image and SOP Common (PS3.3 C.7, C.12.1). */
function common(series: Series, image: { seed: number; number: number }): Attributes {
  const key = `${image.seed} ${series.patient}`;
  return {
    SpecificCharacterSet: "ISO_IR 192",
    SOPClassUID: series.sopClass,
    SOPInstanceUID: uidFor(`${key} image ${image.number}`),
    StudyDate: "20260101",
    ContentDate: "20260101",
    StudyTime: "120000",
    ContentTime: "120000",
    AccessionNumber: "",
    Modality: series.modality,
    Manufacturer: phantomManufacturer,
    ReferringPhysicianName: "",
    StudyDescription: series.study,
    SeriesDescription: series.series,
    PatientName: `PHANTOM^${series.patient}`,
    PatientID: `PHANTOM-${series.patient}`,
    PatientBirthDate: "",
    PatientSex: "O",
    PatientComments: comment,
    BodyPartExamined: series.bodyPart,
    StudyInstanceUID: uidFor(`${key} study`),
    SeriesInstanceUID: uidFor(`${key} series`),
    StudyID: "PHANTOM",
    SeriesNumber: 1,
    InstanceNumber: image.number,
    ImageComments: comment,
    BurnedInAnnotation: "NO",
  };
}

function grey(
  size: { rows: number; columns: number },
  bits: { allocated: number; stored: number },
): Attributes {
  return {
    SamplesPerPixel: 1,
    PhotometricInterpretation: "MONOCHROME2",
    Rows: size.rows,
    Columns: size.columns,
    BitsAllocated: bits.allocated,
    BitsStored: bits.stored,
    HighBit: bits.stored - 1,
    PixelRepresentation: 0,
  };
}
