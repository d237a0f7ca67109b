import { promisify } from "node:util";
import { constants, inflateRaw, type ZlibOptions } from "node:zlib";
import { ybrToRgb } from "../../core/colour.ts";
import { appError, throwIfAborted } from "../../core/errors.ts";
import type { PixelFrame, StoredValues } from "../../core/frame.ts";
import type { DecodedSamples, Expected } from "./codecs/codestream.ts";
import { damaged } from "./codecs/codestream.ts";
import { decodeJpeg, decodeJpeg2000, decodeJpegXl, decodeRle } from "./codecs/decode-codestream.ts";
import { frameAttributes } from "./frame-attributes.ts";
import { fragmentTable, readCodestream, type FragmentTable } from "./fragments.ts";
import * as native from "./native-pixels.ts";
import type { DicomHeader } from "./parse-header.ts";
import { pixelDescription, type PixelDescription } from "./pixel-description.ts";
import type { PixelCoding } from "./transfer-syntax.ts";

interface Pixels {
  readonly values: StoredValues;
  readonly photometric: string;
}

const inflated = promisify<Uint8Array, ZlibOptions, Buffer>(inflateRaw);

/** Fragments are found once for a header, however many of its frames are read. */
const tables = new WeakMap<DicomHeader, FragmentTable>();

/**
 * Decodes one frame, counted from 1, to stored values: what the viewport shows, what is measured and what the model
 * is given all come from here.
 * @throws pixel-data-missing, frame-not-found, pixel-data-truncated, pixel-data-damaged, dicom-damaged, too-large,
 * transfer-syntax-not-supported, photometric-not-supported, not-supported, cancelled
 */
export async function readFrame(
  header: DicomHeader,
  frame: number,
  signal?: AbortSignal,
): Promise<PixelFrame> {
  const pixels = pixelDescription(header);
  if (!Number.isInteger(frame) || frame < 1 || frame > pixels.frames) {
    throw appError(
      "frame-not-found",
      `The file has ${pixels.frames} frames; frame ${frame} is none of them.`,
    );
  }
  throwIfAborted(signal);
  const { values, photometric } = await readPixels(header, pixels, { frame, signal });
  throwIfAborted(signal);
  const { warnings, ...attributes } = frameAttributes(header.dataSet, frame, pixels);
  return {
    rows: pixels.rows,
    columns: pixels.columns,
    samplesPerPixel: pixels.samples,
    bitsAllocated: pixels.bitsAllocated,
    bitsStored: pixels.bitsStored,
    signed: pixels.signed,
    photometric: knownPhotometric(photometric),
    values,
    ...attributes,
    warnings: [...header.warnings, ...pixels.warnings, ...warnings],
  };
}

/**
 * Frames whose octets are all there, and frames that the header promises; nothing is decoded.
 * @throws pixel-data-missing, pixel-data-damaged, dicom-damaged, too-large, transfer-syntax-not-supported,
 * photometric-not-supported, not-supported, cancelled
 */
export async function countWholeFrames(
  header: DicomHeader,
  signal?: AbortSignal,
): Promise<{ whole: number; frames: number }> {
  const pixels = pixelDescription(header);
  const { frames } = pixels;
  if (!(await isEncapsulated(header))) {
    refuseUndecoded(header);
    const { offset, length } = header.pixels!;
    const room = Math.min(length ?? Infinity, header.source.size - offset) * 8;
    return { whole: Math.min(frames, Math.floor(room / native.nativeExtent(pixels, 1).bits)), frames };
  }
  if (header.syntax.coding === "not-decoded") throw syntaxNotSupported(header);
  const table = await tableOf(header, frames, signal);
  return { whole: Math.min(frames, table.frames.length - (table.cut ? 1 : 0)), frames };
}

async function readPixels(
  header: DicomHeader,
  pixels: PixelDescription,
  request: { frame: number; signal: AbortSignal | undefined },
): Promise<Pixels> {
  if (!(await isEncapsulated(header))) {
    refuseUndecoded(header);
    return readNative(header, pixels, request.frame);
  }
  const table = await tableOf(header, pixels.frames, request.signal);
  const fragments = table.frames[request.frame - 1];
  const lastOfCut = table.cut && request.frame >= table.frames.length;
  if (!fragments || (lastOfCut && fragments.length > 0)) {
    throw appError("pixel-data-truncated", `The file ends before frame ${request.frame}.`);
  }
  const octets = await readCodestream(header.source, fragments);
  const coding = codingOf(header, octets);
  return decodeCodestream(octets, coding, { header, pixels, signal: request.signal });
}

/** @throws transfer-syntax-not-supported, pixel-data-damaged */
function refuseUndecoded(header: DicomHeader): void {
  if (header.syntax.coding === "not-decoded") throw syntaxNotSupported(header);
  if (header.syntax.coding !== "native") {
    throw appError("pixel-data-damaged", "The file says its pixels are compressed, but they are not.");
  }
}

async function tableOf(
  header: DicomHeader,
  frames: number,
  signal: AbortSignal | undefined,
): Promise<FragmentTable> {
  const table = tables.get(header) ?? (await fragmentTable(header, frames, signal));
  tables.set(header, table);
  return table;
}

async function isEncapsulated(header: DicomHeader): Promise<boolean> {
  const { pixels, source, syntax } = header;
  if (!pixels || pixels.length === null) return true;
  if (syntax.coding === "native") return false;
  // Some writers give encapsulated data a length; its first item shows what it is.
  const head = await source.read(pixels.offset, 4);
  return head[0] === 0xfe && head[1] === 0xff && head[2] === 0x00 && head[3] === 0xe0;
}

async function readNative(header: DicomHeader, pixels: PixelDescription, frame: number): Promise<Pixels> {
  const { source, syntax } = header;
  const element = header.pixels!;
  const extent = native.nativeExtent(pixels, frame);
  // In big endian files OW swaps the octets of each word, also where a sample is one octet (PS3.5 annex D).
  const swapped = !syntax.encoding.littleEndian && element.vr !== "OB" && pixels.bitsAllocated <= 8;
  const from = Math.floor(extent.firstBit / 8);
  const start = swapped ? from - (from % 2) : from;
  const end = Math.ceil((extent.firstBit + extent.bits) / 8);
  const room = Math.min(element.length ?? Infinity, source.size - element.offset);
  if (end > room) throw truncated(frame, pixels.frames);
  const wanted = swapped ? Math.min(room, end + (end % 2)) - start : end - start;
  const octets = await source.read(element.offset + start, wanted);
  if (octets.length < wanted) throw truncated(frame, pixels.frames);
  if (swapped) native.swap(octets, 2);
  return fromNative(octets.subarray(from - start), pixels, {
    firstBit: extent.firstBit,
    littleEndian: syntax.encoding.littleEndian,
  });
}

function fromNative(
  octets: Uint8Array,
  pixels: PixelDescription,
  order: { firstBit: number; littleEndian: boolean },
): Pixels {
  const { photometric } = pixels;
  const subsampled = photometric === "YBR_FULL_422";
  if (subsampled && pixels.columns % 2 !== 0) {
    throw appError("pixel-data-damaged", "YBR_FULL_422 needs an even number of columns.");
  }
  const count = pixels.rows * pixels.columns * (subsampled ? 2 : pixels.samples);
  let values = native.nativeValues(octets, pixels, { ...order, count });
  native.maskToHighBit(values, pixels);
  if (subsampled) values = native.repeatChroma(values);
  else if (pixels.planar) values = native.interleavePlanes(values);
  return { values, photometric };
}

/** The declared coding, but what a codestream of the JPEG families is shows better in its first octets. */
function codingOf(header: DicomHeader, octets: Uint8Array): PixelCoding {
  const { coding } = header.syntax;
  if (coding === "rle" || coding === "deflated-frames" || coding === "encapsulated") return coding;
  if (coding === "not-decoded") throw syntaxNotSupported(header);
  if (octets[0] === 0xff && octets[1] === 0xd8) return "jpeg";
  if (octets[0] === 0xff && octets[1] === 0x4f) return "jpeg-2000";
  if (octets[0] === 0xff && octets[1] === 0x0a) return "jpeg-xl";
  if (coding === "native") {
    throw appError("pixel-data-damaged", "The pixels are compressed in a way that the file does not name.");
  }
  return coding;
}

async function decodeCodestream(
  octets: Uint8Array,
  coding: PixelCoding,
  file: { header: DicomHeader; pixels: PixelDescription; signal: AbortSignal | undefined },
): Promise<Pixels> {
  const { pixels, signal } = file;
  const expected: Expected = pixels;
  switch (coding) {
    case "jpeg":
    case "jpeg-ls":
      return fromJpegFamily(await decodeJpeg(octets, expected, signal), pixels);
    case "jpeg-2000":
    case "htj2k":
      return fromJpegFamily(await decodeJpeg2000(octets, expected, signal), pixels);
    case "jpeg-xl":
      return fromJpegFamily(await decodeJpegXl(octets, expected, signal), pixels);
    case "rle":
      return fromRle(await decodeRle(octets, expected, signal), pixels);
    case "deflated-frames":
      return fromWholeFrame(await inflateFrame(octets, pixels), pixels);
    case "encapsulated":
      return fromWholeFrame(octets, pixels);
    default:
      throw syntaxNotSupported(file.header);
  }
}

function fromJpegFamily(decoded: DecodedSamples, pixels: PixelDescription): Pixels {
  const { values, colour } = decoded;
  if (decoded.overshoots && !pixels.signed) cutToHighBit(values, pixels);
  const inOrder = decoded.planes ? native.interleavePlanes(values) : values;
  const stored = widened(inOrder as typeof values, pixels);
  native.maskToHighBit(stored, pixels);
  if (pixels.samples === 1) return { values: stored, photometric: pixels.photometric };
  const isYbr = pixels.photometric === "YBR_FULL" || pixels.photometric === "YBR_FULL_422";
  if (colour === "ybr" || (colour === "as-stored" && isYbr)) {
    if (!(stored instanceof Uint8Array)) {
      throw appError("photometric-not-supported", "YBR colour of more than 8 bits is not converted.");
    }
    return { values: ybrToRgb(stored), photometric: "RGB" };
  }
  return { values: stored, photometric: "RGB" };
}

function cutToHighBit(values: Uint8Array | Uint16Array, pixels: PixelDescription): void {
  const most = 2 ** (pixels.highBit + 1) - 1;
  for (let i = 0; i < values.length; i += 1) if (values[i]! > most) values[i] = most;
}

/** Samples in an array as wide as Bits Allocated says, signed where Pixel Representation says so. */
function widened(values: Uint8Array | Uint16Array, pixels: PixelDescription): StoredValues {
  const { bitsAllocated, signed } = pixels;
  if (bitsAllocated <= 8) {
    if (values instanceof Uint16Array) throw damaged();
    return signed ? new Int8Array(values.buffer as ArrayBuffer, values.byteOffset, values.length) : values;
  }
  if (bitsAllocated === 16) {
    const wide = values instanceof Uint16Array ? values : Uint16Array.from(values);
    return signed ? new Int16Array(wide.buffer as ArrayBuffer, wide.byteOffset, wide.length) : wide;
  }
  return signed ? Int32Array.from(values) : Uint32Array.from(values);
}

/** Segments are planes by nature; the decoder has interleaved them. */
function fromRle(octets: Uint8Array, pixels: PixelDescription): Pixels {
  const order = { firstBit: 0, littleEndian: true, count: pixels.rows * pixels.columns * pixels.samples };
  const values = native.nativeValues(octets, pixels, order);
  native.maskToHighBit(values, pixels);
  return { values, photometric: pixels.photometric };
}

/** Deflated Image Frame Compression (PS3.5 A.4.13): one raw deflate stream a frame. */
async function inflateFrame(octets: Uint8Array, pixels: PixelDescription): Promise<Uint8Array> {
  const bytes = Math.ceil(native.nativeExtent(pixels, 1).bits / 8);
  try {
    const options = { maxOutputLength: bytes + 2, finishFlush: constants.Z_SYNC_FLUSH };
    return new Uint8Array(await inflated(octets, options));
  } catch (thrown) {
    throw damaged(thrown);
  }
}

function fromWholeFrame(octets: Uint8Array, pixels: PixelDescription): Pixels {
  const { bits } = native.nativeExtent(pixels, 1);
  if (octets.length * 8 < bits)
    throw appError("pixel-data-truncated", "The frame ends before its last pixel.");
  return fromNative(octets, pixels, { firstBit: 0, littleEndian: true });
}

function knownPhotometric(name: string): PixelFrame["photometric"] {
  switch (name) {
    case "MONOCHROME1":
    case "MONOCHROME2":
    case "RGB":
    case "YBR_FULL":
    case "YBR_FULL_422":
    case "PALETTE COLOR":
      return name;
    default:
      throw appError("photometric-not-supported", `Images in ${name.slice(0, 16)} are not shown.`);
  }
}

function truncated(frame: number, frames: number): Error {
  const what = frames === 1 ? "the image is whole" : `frame ${frame} is whole`;
  return appError("pixel-data-truncated", `The file ends before ${what}.`);
}

function syntaxNotSupported(header: DicomHeader): Error {
  return appError(
    "transfer-syntax-not-supported",
    `Pixels in ${header.syntax.name.slice(0, 80)} are not decoded by this app.`,
  );
}
