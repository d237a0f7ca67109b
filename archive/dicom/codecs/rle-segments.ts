import { appError } from "../../../core/errors.ts";
import { damaged } from "./codestream.ts";

/**
 * Sees that an RLE frame (PS3.5 annex G) has the segments it should have and that the runs of each reach the frame's
 * end: the decoder fills what is missing with zeros and says nothing.
 * @param segments how many there must be, and the octets that each unpacks to
 * @throws pixel-data-damaged, pixel-data-truncated
 */
export function requireWholeSegments(
  octets: Uint8Array,
  segments: { count: number; unpacked: number },
): void {
  if (octets.length < 64) throw damaged();
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  if (view.getUint32(0, true) !== segments.count) throw damaged();
  for (let i = 0; i < segments.count; i += 1) {
    const start = view.getUint32(4 + i * 4, true);
    const end = i + 1 < segments.count ? view.getUint32(8 + i * 4, true) : octets.length;
    if (start < 64 || start > octets.length || end < start || end > octets.length) throw damaged();
    let at = start;
    for (let unpacked = 0; unpacked < segments.unpacked;) {
      if (at >= end) throw appError("pixel-data-truncated", "The RLE image ends before its last pixel.");
      const control = octets[at]!;
      // 128 means nothing (G.3.1).
      if (control !== 128) unpacked += control < 128 ? control + 1 : 257 - control;
      at += control < 128 ? control + 2 : control > 128 ? 2 : 1;
    }
  }
}
