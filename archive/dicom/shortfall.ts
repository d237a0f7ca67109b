import { appError, type ErrorRecord, errorRecord, throwIfAborted } from "../../core/errors.ts";
import type { DicomHeader } from "./parse-header.ts";
import { endsInHeader } from "./read-data-set.ts";
import { countWholeFrames } from "./read-frame.ts";

/**
 * Why not everything of a file can be shown, told without decoding it; null where all octets are there and their
 * coding is one that is decoded. A codestream that is damaged inside is found when it is looked at.
 * @throws cancelled
 */
export async function shortfallOf(header: DicomHeader, signal?: AbortSignal): Promise<ErrorRecord | null> {
  if (!header.pixels) {
    if (!header.warnings.includes(endsInHeader)) return null;
    return errorRecord(appError("dicom-damaged", "The file ends inside its header, before any image."));
  }
  try {
    const { whole, frames } = await countWholeFrames(header, signal);
    return whole < frames ? errorRecord(truncated(whole, frames)) : null;
  } catch (thrown) {
    throwIfAborted(signal);
    return errorRecord(thrown);
  }
}

function truncated(whole: number, frames: number): Error {
  const message =
    frames === 1
      ? "The file ends before its image is whole."
      : `The file ends too early: ${whole} of ${frames} images are whole.`;
  return appError("pixel-data-truncated", message);
}
