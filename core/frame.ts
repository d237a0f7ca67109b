import * as v from "valibot";
import { instanceUidSchema, seriesUidSchema, studyUidSchema } from "./study.ts";

/** A frame in the archive. `frame` counts from 1, as DICOM does. */
export const frameRefSchema = v.object({
  sopInstanceUid: instanceUidSchema,
  frame: v.pipe(v.number(), v.integer(), v.minValue(1)),
});
export type FrameRef = v.InferOutput<typeof frameRefSchema>;

/** A table of output values for a run of input values (PS3.3 C.11.1, C.11.2). */
export interface LookupTable {
  /** Stored value (modality LUT) or modality value (VOI LUT) that maps to `values[0]`. */
  readonly firstMapped: number;
  readonly bits: number;
  readonly values: readonly number[];
}

export type ModalityTransform =
  | { readonly type: "identity" }
  | { readonly type: "rescale"; readonly slope: number; readonly intercept: number; readonly unit: string }
  | { readonly type: "table"; readonly table: LookupTable; readonly unit: string };

/** PS3.3 C.11.2.1.2 and C.11.2.1.3. */
export type VoiFunction = "LINEAR" | "LINEAR_EXACT" | "SIGMOID";

export type Voi =
  | {
      readonly type: "window";
      readonly center: number;
      readonly width: number;
      readonly function: VoiFunction;
    }
  | { readonly type: "lut"; readonly index: number }
  | { readonly type: "none" };

export interface Palette {
  /** Entries per channel are 8 bit here; 16-bit entries are reduced when read. */
  readonly firstMapped: number;
  readonly red: Uint8Array;
  readonly green: Uint8Array;
  readonly blue: Uint8Array;
}

export type StoredValues =
  Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array;

/** Where pixels lie in the patient, for orientation letters, scale and distances (PS3.3 C.7.6.2). */
export interface FramePosition {
  /** Row and column direction cosines in the patient frame (x to the left, y to the back, z to the head). */
  readonly orientation: readonly [number, number, number, number, number, number] | null;
  /** Centre of the first pixel in mm. */
  readonly position: readonly [number, number, number] | null;
  /** Patient Orientation (0020,0020): row and column letters of a projection image, e.g. ["L", "F"]. */
  readonly patientOrientation: readonly [string, string] | null;
}

export interface PixelSpacing {
  /** mm between rows, and between columns. */
  readonly row: number;
  readonly column: number;
  /** "pixel": in the patient; "imager": at the detector, magnified (PS3.3 10.7.1.3): never a length in the patient. */
  readonly source: "pixel" | "imager" | "calibrated";
}

/**
 * One decoded frame: stored values, before any LUT; row-major, colour interleaved by pixel. The same values are
 * shown, measured and sent to the model.
 */
export interface PixelFrame {
  readonly rows: number;
  readonly columns: number;
  readonly samplesPerPixel: 1 | 3;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly signed: boolean;
  /** After decoding: YBR of JPEG codecs is RGB already. */
  readonly photometric: "MONOCHROME1" | "MONOCHROME2" | "RGB" | "YBR_FULL" | "YBR_FULL_422" | "PALETTE COLOR";
  readonly values: StoredValues;
  readonly modalityTransform: ModalityTransform;
  /** The windows and tables of the header, in order; the first is the default. */
  readonly voiWindows: readonly {
    center: number;
    width: number;
    function: VoiFunction;
    explanation: string;
  }[];
  readonly voiTables: readonly { table: LookupTable; explanation: string }[];
  readonly palette: Palette | null;
  /** Presentation LUT Shape INVERSE (PS3.3 C.11.6): grey is shown inverted. */
  readonly presentationInverse: boolean;
  /** Pixel Padding Value with its range limit (PS3.3 C.7.5.1.1.2), in stored values. */
  readonly padding: { readonly low: number; readonly high: number } | null;
  readonly spacing: PixelSpacing | null;
  /** Pixel Aspect Ratio: vertical size divided by horizontal size; 1 where square. */
  readonly aspect: number;
  readonly placement: FramePosition;
  readonly warnings: readonly string[];
}

/** The closed list of header facts that may enter a prompt or a scope decision; never free text. */
export const headerFactsSchema = v.object({
  modality: v.nullable(v.string()),
  bodyPart: v.nullable(v.string()),
  view: v.nullable(v.string()),
});
export type HeaderFacts = v.InferOutput<typeof headerFactsSchema>;

/** What is shown around an image and kept on an answer card. */
export const frameSummarySchema = v.object({
  studyInstanceUid: studyUidSchema,
  seriesInstanceUid: seriesUidSchema,
  sopInstanceUid: instanceUidSchema,
  frame: v.number(),
  frameCount: v.number(),
  patientName: v.string(),
  patientId: v.string(),
  studyDate: v.string(),
  studyDescription: v.string(),
  seriesDescription: v.string(),
  seriesNumber: v.nullable(v.number()),
  instanceNumber: v.nullable(v.number()),
  laterality: v.string(),
  phantom: v.boolean(),
  facts: headerFactsSchema,
});
export type FrameSummary = v.InferOutput<typeof frameSummarySchema>;

/** What `files.open` found: the files of a series in display order. */
export const openedFilesSchema = v.object({
  files: v.array(v.object({ path: v.string(), sha256: v.string(), numberOfFrames: v.number() })),
  /** Of the first frame; null where the file has no header (PNG, JPEG). */
  summary: v.nullable(frameSummarySchema),
});
