import { damaged, type StreamSize } from "./codestream.ts";

/** The main header of a JPEG 2000 codestream (ISO/IEC 15444-1 annex A.5, A.6.1). */
export interface Jpeg2000Header extends StreamSize {
  readonly signed: boolean;
  /** A CAP marker with the high-throughput bit (ISO/IEC 15444-15). */
  readonly highThroughput: boolean;
  /** The codestream undoes its own colour transform on decoding. */
  readonly colourTransform: boolean;
  /** The codestream without what a writer put before it: DICOM forbids the JP2 box, and writers use it. */
  readonly stream: Uint8Array;
}

/** @throws pixel-data-damaged */
export function readJpeg2000Header(octets: Uint8Array): Jpeg2000Header {
  const stream = octets.subarray(codestreamStart(octets));
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  if (stream.length < 45) throw damaged();
  let highThroughput = false;
  let colourTransform = false;
  let at = 2;
  while (at + 4 <= stream.length && stream[at] === 0xff && stream[at + 1] !== 0x90) {
    const marker = stream[at + 1];
    if (marker === 0x50) highThroughput = true;
    if (marker === 0x52 && at + 9 <= stream.length) colourTransform = stream[at + 8] === 1;
    at += 2 + Math.max(2, view.getUint16(at + 2));
  }
  return {
    columns: view.getUint32(8) - view.getUint32(16),
    rows: view.getUint32(12) - view.getUint32(20),
    components: view.getUint16(40),
    precision: (stream[42]! & 0x7f) + 1,
    signed: stream[42]! >= 0x80,
    highThroughput,
    colourTransform,
    stream,
  };
}

/** Offset of the SOC marker with the SIZ marker behind it. */
function codestreamStart(octets: Uint8Array): number {
  const limit = Math.min(octets.length - 4, 1 << 16);
  for (let at = 0; at <= limit; at += 1) {
    const isStart = octets[at] === 0xff && octets[at + 1] === 0x4f;
    if (isStart && octets[at + 2] === 0xff && octets[at + 3] === 0x51) return at;
  }
  throw damaged();
}
