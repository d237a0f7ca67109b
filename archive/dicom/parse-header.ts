import { promisify } from "node:util";
import { constants, inflate, inflateRaw, type ZlibOptions } from "node:zlib";
import { appError, throwIfAborted } from "../../core/errors.ts";
import { bytesSource, type ByteSource } from "../byte-source.ts";
import type { DataSet } from "./data-set.ts";
import { isVr, NeedsMore, readDataSet, readMeta, type PixelElement } from "./read-data-set.ts";
import type { Encoding } from "./read-data-set.ts";
import { tags } from "./tags.ts";
import { explicitBig, implicitLittle, transferSyntaxOf, type TransferSyntax } from "./transfer-syntax.ts";

const zlibInflated = promisify<Uint8Array, ZlibOptions, Buffer>(inflate);
const rawInflated = promisify<Uint8Array, ZlibOptions, Buffer>(inflateRaw);

const firstRead = 1 << 18;
/** A header is held in memory whole; the largest real ones (enhanced multi-frame) have some ten MB. */
const largestHeader = 1 << 27;
const largestDeflated = 1 << 28;

/** A DICOM file whose pixels have not been read. */
export interface DicomHeader {
  /** Where `pixels` lies; for a deflated file its inflated content. */
  readonly source: ByteSource;
  readonly syntax: TransferSyntax;
  readonly meta: DataSet | null;
  readonly dataSet: DataSet;
  readonly pixels: PixelElement | null;
  readonly warnings: readonly string[];
}

interface Opening {
  readonly start: number;
  readonly meta: DataSet | null;
  readonly uid: string;
}

/**
 * Reads the header of a DICOM file (PS3.10), with or without preamble and meta information, up to its pixels.
 * @throws not-dicom, dicom-damaged, too-large, cancelled, and what the source throws.
 */
export async function parseHeader(source: ByteSource, signal?: AbortSignal): Promise<DicomHeader> {
  const warnings: string[] = [];
  const opening = await growing(source, signal, (octets) => readOpening(octets, source.size));
  const declared = transferSyntaxOf(opening.uid);
  const body = declared.deflated ? await inflated(source, opening.start) : { source, start: opening.start };
  const head = await body.source.read(body.start, 12);
  const syntax = checkedSyntax(opening, { head, size: body.source.size - body.start, warnings });
  const read = await growing(body.source, signal, (octets) =>
    readDataSet(octets, body.source.size, { start: body.start, encoding: syntax.encoding }),
  );
  if (read.dataSet.elements.size === 0 && !read.pixels) {
    throw appError("dicom-damaged", "The file has no DICOM elements behind its beginning.");
  }
  return {
    source: body.source,
    syntax,
    meta: opening.meta,
    dataSet: read.dataSet,
    pixels: read.pixels,
    warnings: [...warnings, ...read.warnings],
  };
}

/** Reads a little, and more as often as `parse` asks for it. */
async function growing<T>(
  source: ByteSource,
  signal: AbortSignal | undefined,
  parse: (octets: Uint8Array) => T,
): Promise<T> {
  let octets = await source.read(0, Math.min(source.size, firstRead));
  for (;;) {
    throwIfAborted(signal);
    try {
      return parse(octets);
    } catch (thrown) {
      if (!(thrown instanceof NeedsMore)) throw thrown;
      if (thrown.end > largestHeader)
        throw appError("too-large", "The header is larger than this app reads.");
      const wanted = Math.min(source.size, Math.max(thrown.end, octets.length * 4));
      if (wanted <= octets.length) throw appError("dicom-damaged", "The header ends too early.", thrown);
      octets = await source.read(0, wanted);
      if (octets.length < wanted) throw appError("dicom-damaged", "The file ended while it was read.");
    }
  }
}

function readOpening(octets: Uint8Array, size: number): Opening {
  const start = metaStart(octets);
  if (start === null) {
    if (!looksLikeDataSet(octets)) throw appError("not-dicom", "This is not a DICOM file.");
    return { start: 0, meta: null, uid: "" };
  }
  const { dataSet, end } = readMeta(octets, size, start);
  return { start: end, meta: dataSet, uid: dataSet.string(tags.transferSyntax) };
}

/** Offset of group 2: behind the preamble, or at the start where a writer left it out. */
function metaStart(octets: Uint8Array): number | null {
  for (const at of [128, 0]) {
    if (String.fromCharCode(...octets.subarray(at, at + 4)) === "DICM") return at + 4;
  }
  return octets.length >= 8 && octets[0] === 2 && octets[1] === 0 && octets[3] === 0 ? 0 : null;
}

/** Without any mark: the first element must be one that real data sets begin with. */
function looksLikeDataSet(octets: Uint8Array): boolean {
  if (octets.length < 16) return false;
  const encoding = guessEncoding(octets);
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const group = view.getUint16(0, encoding.littleEndian);
  const element = view.getUint16(2, encoding.littleEndian);
  if (group !== 0x0008 && group !== 0x0004 && group !== 0x0010) return false;
  if (encoding.explicit) return element <= 0x2220;
  return element <= 0x2220 && view.getUint32(4, true) <= 0x1000;
}

/** Explicit where a VR stands behind the tag; the byte order that gives the smaller group. */
function guessEncoding(octets: Uint8Array): Encoding {
  if (octets.length < 8) return implicitLittle.encoding;
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const explicit = isVr(String.fromCharCode(octets[4]!, octets[5]!));
  const littleEndian = !explicit || view.getUint16(0, true) <= view.getUint16(0, false);
  return { explicit, littleEndian };
}

/** The declared syntax where the data set agrees with it, else what the data set shows. */
function checkedSyntax(
  opening: Opening,
  body: { head: Uint8Array; size: number; warnings: string[] },
): TransferSyntax {
  const seen = guessEncoding(body.head);
  const declared = transferSyntaxOf(opening.uid);
  const guess = seen.explicit
    ? seen.littleEndian
      ? transferSyntaxOf("1.2.840.10008.1.2.1")
      : explicitBig
    : implicitLittle;
  if (opening.uid === "") {
    body.warnings.push(`The file does not name its transfer syntax; read as ${guess.name}.`);
    return guess;
  }
  if (body.head.length < 8 || seen.explicit === declared.encoding.explicit) return declared;
  body.warnings.push(`The data set is not encoded as the file says; read as ${guess.name}.`);
  return { ...declared, encoding: seen };
}

/**
 * Deflated Explicit VR Little Endian (PS3.5 A.5). Output is bounded, so that a bomb ends as `too-large`; a stream
 * that was cut gives what it still holds.
 */
async function inflated(source: ByteSource, start: number): Promise<{ source: ByteSource; start: number }> {
  if (source.size - start > largestDeflated) throw appError("too-large", "The deflated file is too large.");
  const packed = await source.read(start, source.size - start);
  const options = { maxOutputLength: largestDeflated, finishFlush: constants.Z_SYNC_FLUSH };
  try {
    const zlibHeader = packed[0] === 0x78 && ((packed[0] << 8) | (packed[1] ?? 0)) % 31 === 0;
    const octets = await (zlibHeader ? zlibInflated : rawInflated)(packed, options);
    return { source: bytesSource(octets), start: 0 };
  } catch (thrown) {
    if (thrown instanceof RangeError) {
      throw appError("too-large", "The deflated file grows beyond what this app reads.", thrown);
    }
    throw appError("dicom-damaged", "The deflated part of the file cannot be read.", thrown);
  }
}
