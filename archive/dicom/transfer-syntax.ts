import type { Encoding } from "./read-data-set.ts";

/** How the pixels of a transfer syntax are coded (PS3.5 section 10 and annex A). */
export type PixelCoding =
  | "native"
  | "encapsulated"
  | "rle"
  | "deflated-frames"
  | "jpeg"
  | "jpeg-ls"
  | "jpeg-2000"
  | "htj2k"
  | "jpeg-xl"
  | "not-decoded";

export interface TransferSyntax {
  readonly uid: string;
  readonly name: string;
  readonly encoding: Encoding;
  readonly deflated: boolean;
  readonly coding: PixelCoding;
}

const little: Encoding = { explicit: true, littleEndian: true };

const known: readonly (readonly [string, string, PixelCoding])[] = [
  ["1.2.840.10008.1.2.1", "Explicit VR Little Endian", "native"],
  ["1.2.840.10008.1.2.1.98", "Encapsulated Uncompressed Explicit VR Little Endian", "encapsulated"],
  ["1.2.840.10008.1.2.5", "RLE Lossless", "rle"],
  ["1.2.840.10008.1.2.8.1", "Deflated Image Frame Compression", "deflated-frames"],
  ["1.2.840.10008.1.2.4.50", "JPEG Baseline", "jpeg"],
  ["1.2.840.10008.1.2.4.51", "JPEG Extended", "jpeg"],
  ["1.2.840.10008.1.2.4.53", "JPEG Spectral Selection (retired)", "jpeg"],
  ["1.2.840.10008.1.2.4.55", "JPEG Full Progression (retired)", "jpeg"],
  ["1.2.840.10008.1.2.4.57", "JPEG Lossless", "jpeg"],
  ["1.2.840.10008.1.2.4.70", "JPEG Lossless, Selection Value 1", "jpeg"],
  ["1.2.840.10008.1.2.4.80", "JPEG-LS Lossless", "jpeg-ls"],
  ["1.2.840.10008.1.2.4.81", "JPEG-LS Near-Lossless", "jpeg-ls"],
  ["1.2.840.10008.1.2.4.90", "JPEG 2000 Lossless", "jpeg-2000"],
  ["1.2.840.10008.1.2.4.91", "JPEG 2000", "jpeg-2000"],
  ["1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000 Lossless", "htj2k"],
  ["1.2.840.10008.1.2.4.202", "High-Throughput JPEG 2000 with RPCL Lossless", "htj2k"],
  ["1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000", "htj2k"],
  ["1.2.840.10008.1.2.4.92", "JPEG 2000 Part 2 Lossless", "not-decoded"],
  ["1.2.840.10008.1.2.4.93", "JPEG 2000 Part 2", "not-decoded"],
  ["1.2.840.10008.1.2.4.100", "MPEG2 Main Profile", "not-decoded"],
  ["1.2.840.10008.1.2.4.101", "MPEG2 High Profile", "not-decoded"],
  ["1.2.840.10008.1.2.4.102", "MPEG-4 AVC/H.264 High Profile", "not-decoded"],
  ["1.2.840.10008.1.2.4.103", "MPEG-4 AVC/H.264 BD-compatible", "not-decoded"],
  ["1.2.840.10008.1.2.4.107", "HEVC/H.265 Main Profile", "not-decoded"],
  ["1.2.840.10008.1.2.4.108", "HEVC/H.265 Main 10 Profile", "not-decoded"],
  ["1.2.840.10008.1.2.4.110", "JPEG XL Lossless", "jpeg-xl"],
  ["1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression", "jpeg-xl"],
  ["1.2.840.10008.1.2.4.112", "JPEG XL", "jpeg-xl"],
];

export const implicitLittle: TransferSyntax = {
  uid: "1.2.840.10008.1.2",
  name: "Implicit VR Little Endian",
  encoding: { explicit: false, littleEndian: true },
  deflated: false,
  coding: "native",
};
export const explicitBig: TransferSyntax = {
  uid: "1.2.840.10008.1.2.2",
  name: "Explicit VR Big Endian",
  encoding: { explicit: true, littleEndian: false },
  deflated: false,
  coding: "native",
};
const deflated: TransferSyntax = {
  uid: "1.2.840.10008.1.2.1.99",
  name: "Deflated Explicit VR Little Endian",
  encoding: little,
  deflated: true,
  coding: "native",
};

const byUid = new Map<string, TransferSyntax>(
  known.map(([uid, name, coding]) => [uid, { uid, name, coding, encoding: little, deflated: false }]),
);
for (const syntax of [implicitLittle, explicitBig, deflated]) byUid.set(syntax.uid, syntax);

/** A syntax nobody knows is explicit little endian with pixels that are not decoded (PS3.5 A.4). */
export function transferSyntaxOf(uid: string): TransferSyntax {
  return byUid.get(uid) ?? { uid, name: uid, encoding: little, deflated: false, coding: "not-decoded" };
}
