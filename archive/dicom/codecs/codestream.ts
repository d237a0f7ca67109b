import { appError } from "../../../core/errors.ts";

/** What the header promises of a coded frame; the codestream must agree before anything is allocated for it. */
export interface Expected {
  readonly rows: number;
  readonly columns: number;
  readonly samples: 1 | 3;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  /** Upper case, as the header has it. */
  readonly photometric: string;
}

/** Samples as they are coded, not yet masked or sign-extended. */
export interface DecodedSamples {
  readonly values: Uint8Array | Uint16Array;
  /** All of the first sample, then all of the second, then the third; else interleaved by pixel. */
  readonly planes: boolean;
  /** What three samples are; "as-stored": what the DICOM header says. */
  readonly colour: "as-stored" | "rgb" | "ybr";
  /** A DCT may come out above the largest stored value: to be cut there, where masking would turn white to black. */
  readonly overshoots: boolean;
}

export interface StreamSize {
  readonly rows: number;
  readonly columns: number;
  readonly components: number;
  readonly precision: number;
}

/** A decoder takes 4 to 12 octets a sample on its way, and a blank image of any size is coded in a few octets. */
const mostSamples = 1 << 26;

/** @throws pixel-data-damaged where the codestream has another shape than the header says, too-large */
export function requireShape(stream: StreamSize, expected: Expected): void {
  if (stream.rows * stream.columns * stream.components > mostSamples) {
    throw appError("too-large", "The compressed image is larger than this app decodes.");
  }
  if (
    stream.rows !== expected.rows ||
    stream.columns !== expected.columns ||
    stream.components !== expected.samples
  ) {
    throw appError("pixel-data-damaged", "The compressed image has another size than its header says.");
  }
  if (stream.precision < 1 || stream.precision > Math.max(expected.bitsAllocated, 8)) {
    throw appError("pixel-data-damaged", "The compressed image has more bits than its header says.");
  }
  if (stream.precision > 16) {
    throw appError("not-supported", "Compressed images of more than 16 bits are not decoded.");
  }
}

export function damaged(cause?: unknown): Error {
  return appError("pixel-data-damaged", "The compressed image is damaged and cannot be decoded.", cause);
}
