import { appError } from "../../../core/errors.ts";
import { damaged, requireShape, type DecodedSamples, type Expected } from "./codestream.ts";
import { type DecodeJob, sampleWidth } from "./decode-job.ts";
import { decodePool } from "./decode-pool.ts";
import { type Jpeg2000Header, readJpeg2000Header } from "./jpeg-2000-header.ts";
import { holdsPlanes, readJpegFrame, type JpegFrame } from "./jpeg-markers.ts";
import { jpegXlSize } from "./jpeg-xl-header.ts";
import { requireWholeSegments } from "./rle-segments.ts";

/**
 * Any codestream of the JPEG family and JPEG-LS, by its own frame header: files name the wrong process too often.
 * @throws pixel-data-damaged, transfer-syntax-not-supported (hierarchical), too-large, cancelled
 */
export async function decodeJpeg(
  octets: Uint8Array,
  expected: Expected,
  signal?: AbortSignal,
): Promise<DecodedSamples> {
  const frame = readJpegFrame(octets);
  requireShape(frame, expected);
  if (frame.sof > 0xca && frame.sof !== 0xf7) throw processNotSupported();
  if (frame.sof > 0xc3 && frame.sof < 0xc9) throw processNotSupported();
  const job = { ...jobOf(octets, expected), precision: frame.precision };
  if (frame.sof === 0xf7) {
    const planes = expected.samples === 3 && holdsPlanes(octets);
    const values = await decoded({ ...job, codec: "jpeg-ls" }, signal);
    return { values, planes, colour: "as-stored", overshoots: false };
  }
  const values = await decoded({ ...job, codec: "jpeg" }, signal);
  const lossless = frame.sof === 0xc3;
  const colour = lossless ? "as-stored" : isYbr(frame, expected) ? "ybr" : "rgb";
  return { values, planes: false, colour, overshoots: !lossless };
}

/**
 * JPEG 2000 and High-Throughput JPEG 2000, by the codestream's own header.
 * @throws pixel-data-damaged, too-large, cancelled
 */
export async function decodeJpeg2000(
  octets: Uint8Array,
  expected: Expected,
  signal?: AbortSignal,
): Promise<DecodedSamples> {
  const header = readJpeg2000Header(octets);
  requireShape(header, expected);
  const codec = header.highThroughput ? "htj2k" : "jpeg-2000";
  const { precision } = header;
  const stream = header.signed ? withoutSign(header) : header.stream;
  const job = { ...jobOf(stream, expected), codec, precision } as const;
  const values = await decoded(job, signal);
  if (header.signed) shiftToSigned(values, precision);
  const colour = header.colourTransform ? "rgb" : "as-stored";
  return { values, planes: false, colour, overshoots: false };
}

/**
 * JPEG XL (PS3.5 A.4.12). Its samples have the width that the header says; libjxl converts.
 * @throws pixel-data-damaged, too-large, cancelled
 */
export async function decodeJpegXl(
  octets: Uint8Array,
  expected: Expected,
  signal?: AbortSignal,
): Promise<DecodedSamples> {
  const precision = expected.bitsStored;
  requireShape({ ...jpegXlSize(octets), components: expected.samples, precision }, expected);
  const job = { ...jobOf(octets, expected), codec: "jpeg-xl", precision } as const;
  return { values: await decoded(job, signal), planes: false, colour: "rgb", overshoots: false };
}

/**
 * RLE (PS3.5 annex G) to little-endian octets, interleaved by pixel; 1-bit frames stay packed.
 * @throws pixel-data-damaged, pixel-data-truncated, too-large, cancelled
 */
export async function decodeRle(
  octets: Uint8Array,
  expected: Expected,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { samples, bitsAllocated } = expected;
  const packed = bitsAllocated === 1;
  const size = expected.rows * expected.columns;
  const unpacked = packed ? Math.ceil(size / 8) : size;
  const precision = Math.max(8, bitsAllocated);
  requireWholeSegments(octets, { count: (samples * precision) / 8, unpacked });
  const job = {
    codec: "rle",
    octets,
    rows: 1,
    columns: unpacked,
    samples,
    precision,
    signed: false,
  } as const;
  return decodePool().decode(job, signal);
}

/**
 * The decoders cut negative samples of up to 8 bits to 0. The sign bit of SIZ only says whether half the range is
 * added at the end (ISO/IEC 15444-1 annex G.1): without it they add it, and we take it away again.
 */
function withoutSign({ stream, components }: Jpeg2000Header): Uint8Array {
  const unsigned = stream.slice();
  for (let i = 0; i < components; i += 1) unsigned[42 + i * 3] = unsigned[42 + i * 3]! & 0x7f;
  return unsigned;
}

/** Two's complement in the width of the array. */
function shiftToSigned(values: Uint8Array | Uint16Array, precision: number): void {
  const half = 1 << (precision - 1);
  for (let i = 0; i < values.length; i += 1) values[i] = values[i]! - half;
}

function jobOf(
  octets: Uint8Array,
  expected: Expected,
): Pick<DecodeJob, "octets" | "rows" | "columns" | "samples"> {
  const { rows, columns, samples } = expected;
  return { octets, rows, columns, samples };
}

async function decoded(job: DecodeJob, signal: AbortSignal | undefined): Promise<Uint8Array | Uint16Array> {
  const octets = await decodePool().decode(job, signal);
  if (sampleWidth(job.precision) === 1) return octets;
  if (octets.byteOffset % 2 !== 0) throw damaged();
  return new Uint16Array(octets.buffer, octets.byteOffset, octets.byteLength / 2);
}

/** Component letters, then a JFIF marker, then the DICOM header decide whether samples are YCbCr. */
function isYbr(frame: JpegFrame, expected: Expected): boolean {
  if (frame.components !== 3) return false;
  const letters = String.fromCharCode(...frame.componentIds).toUpperCase();
  if (letters === "RGB") return false;
  return frame.jfif || expected.photometric.startsWith("YBR");
}

function processNotSupported(): Error {
  return appError("transfer-syntax-not-supported", "This JPEG process (hierarchical) is not decoded.");
}
