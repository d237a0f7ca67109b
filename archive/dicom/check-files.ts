import { createHash } from "node:crypto";
import { opendir, stat } from "node:fs/promises";
import path from "node:path";
import type { DicomCheck } from "../../core/archive-events.ts";
import { appError, errorRecord, throwIfAborted } from "../../core/errors.ts";
import type { PixelFrame, StoredValues } from "../../core/frame.ts";
import type { ByteSource } from "../byte-source.ts";
import { openFileSource } from "../file-source.ts";
import { parseHeader, type DicomHeader } from "./parse-header.ts";
import { frameCount } from "./read-instance.ts";
import { readFrame } from "./read-frame.ts";
import { tags } from "./tags.ts";

/** A damaged file may promise a million frames that it does not have; after so many failures the rest is not tried. */
const mostFailures = 8;
const longestMs = 25_000;
const deepestFolder = 64;

/**
 * `meditron dicom check`: one line for each file, folders with all that is in them, in the order of their names.
 * A path that cannot be read gets a line with its error. Only cancelling throws.
 */
export async function* checkFiles(
  input: { paths: readonly string[] },
  signal: AbortSignal,
): AsyncGenerator<DicomCheck, void, void> {
  for (const start of input.paths) {
    for await (const file of filesUnder(start, 0)) {
      throwIfAborted(signal);
      yield await checkPath(file, signal);
    }
  }
}

async function* filesUnder(start: string, depth: number): AsyncGenerator<string, void, void> {
  const facts = await stat(start).catch(() => null);
  if (!facts?.isDirectory()) {
    yield start;
    return;
  }
  if (depth > deepestFolder) return;
  const names: string[] = [];
  // Links are left out: they may lead round in circles or out of what the user chose.
  for await (const entry of await opendir(start)) if (!entry.isSymbolicLink()) names.push(entry.name);
  for (const name of names.toSorted()) yield* filesUnder(path.join(start, name), depth + 1);
}

async function checkPath(file: string, signal: AbortSignal): Promise<DicomCheck> {
  try {
    const source = await openFileSource(file);
    try {
      return await checkFile(file, source, signal);
    } finally {
      await source.close();
    }
  } catch (thrown) {
    throwIfAborted(signal);
    return { ...emptyCheck(file), error: errorRecord(thrown) };
  }
}

/**
 * One line of `meditron dicom check`: every frame is decoded. Failures become part of the line; only cancelling
 * throws.
 */
export async function checkFile(file: string, source: ByteSource, signal?: AbortSignal): Promise<DicomCheck> {
  try {
    const header = await parseHeader(source, signal);
    return await checkFrames(file, header, signal);
  } catch (thrown) {
    throwIfAborted(signal);
    return { ...emptyCheck(file), error: errorRecord(thrown) };
  }
}

/** The line of a file that could not be opened at all. */
function emptyCheck(file: string): DicomCheck {
  return {
    file,
    status: "error",
    error: null,
    transferSyntax: null,
    sopClass: null,
    frames: 0,
    framesDecoded: 0,
    rows: null,
    columns: null,
    samples: null,
    bitsAllocated: null,
    bitsStored: null,
    signed: null,
    photometric: null,
    sha256: [],
    warnings: [],
  };
}

async function checkFrames(
  file: string,
  header: DicomHeader,
  signal: AbortSignal | undefined,
): Promise<DicomCheck> {
  const check = describe(file, header);
  if (!header.pixels) return { ...check, status: "no-pixels" };
  const warnings = new Set(header.warnings);
  const sha256: string[] = [];
  const failures: unknown[] = [];
  let shape: Partial<DicomCheck> = {};
  const started = performance.now();
  for (let frame = 1; frame <= check.frames && failures.length < mostFailures; frame += 1) {
    try {
      if (performance.now() - started > longestMs) {
        failures.push(appError("too-large", `Checking took too long and stopped before frame ${frame}.`));
        break;
      }
      const decoded = await readFrame(header, frame, signal);
      for (const warning of decoded.warnings) warnings.add(warning);
      sha256.push(hashValues(decoded.values));
      shape = shapeOf(decoded);
    } catch (thrown) {
      throwIfAborted(signal);
      failures.push(thrown);
    }
  }
  const error = failures.length > 0 ? errorRecord(failures[0]) : null;
  const status = error === null ? "ok" : sha256.length > 0 ? "partial" : "error";
  return {
    ...check,
    ...shape,
    status,
    error,
    framesDecoded: sha256.length,
    sha256,
    warnings: [...warnings],
  };
}

function describe(file: string, header: DicomHeader): DicomCheck {
  const { dataSet, meta } = header;
  const sopClass = dataSet.string(tags.sopClass) || (meta?.string(tags.mediaStorageSopClass) ?? "");
  const representation = dataSet.number(tags.pixelRepresentation);
  return {
    ...emptyCheck(file),
    transferSyntax: header.syntax.uid,
    sopClass: sopClass === "" ? null : sopClass,
    frames: header.pixels ? frameCount(dataSet) : 0,
    rows: dataSet.number(tags.rows),
    columns: dataSet.number(tags.columns),
    samples: dataSet.number(tags.samplesPerPixel),
    bitsAllocated: dataSet.number(tags.bitsAllocated),
    bitsStored: dataSet.number(tags.bitsStored),
    signed: representation === null ? null : representation === 1,
    photometric: dataSet.string(tags.photometric) || null,
    warnings: [...header.warnings],
  };
}

function shapeOf(frame: PixelFrame): Partial<DicomCheck> {
  return {
    rows: frame.rows,
    columns: frame.columns,
    samples: frame.samplesPerPixel,
    bitsAllocated: frame.bitsAllocated,
    bitsStored: frame.bitsStored,
    signed: frame.signed,
  };
}

/** SHA-256 of the stored values, little-endian, as wide as Bits Allocated (1 bit takes an octet). */
function hashValues(values: StoredValues): string {
  return createHash("sha256")
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest("hex");
}
