import { bytesSource } from "../../../../archive/byte-source.ts";
import { parseHeader, type DicomHeader } from "../../../../archive/dicom/parse-header.ts";
import { readFrame } from "../../../../archive/dicom/read-frame.ts";
import { AppError } from "../../../../core/errors.ts";
import type { PixelFrame } from "../../../../core/frame.ts";

export function parse(octets: Uint8Array): Promise<DicomHeader> {
  return parseHeader(bytesSource(octets));
}

export async function frameOf(octets: Uint8Array, frame = 1): Promise<PixelFrame> {
  return readFrame(await parse(octets), frame);
}

/** The code of the named error, or what came instead. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "no error";
  } catch (thrown) {
    if (thrown instanceof AppError) return thrown.code;
    throw thrown;
  }
}
