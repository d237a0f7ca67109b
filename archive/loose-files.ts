import { createHash } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { AppError, appError, throwIfAborted } from "../core/errors.ts";
import type { FrameSummary, PixelFrame } from "../core/frame.ts";
import { sliceOrder } from "../core/slice-order.ts";
import type { InstanceUid, SeriesUid, StudyUid } from "../core/study.ts";
import type { FileSource, OpenedFiles } from "./api.ts";
import type { ByteSource } from "./byte-source.ts";
import { type DicomHeader, parseHeader } from "./dicom/parse-header.ts";
import { isPicture, readPicture } from "./picture/read-picture.ts";
import { readFrame } from "./dicom/read-frame.ts";
import { frameSummary, instanceHeader } from "./dicom/read-instance.ts";
import { openFileSource } from "./file-source.ts";
import type { InstanceHeader } from "./instance-header.ts";

/**
 * Files that are looked at without importing them: a DICOM file, the files of one series in a folder, a PNG or
 * JPEG. Nothing is kept but the order of the files.
 */
export interface LooseFiles {
  /** @throws file-not-found, not-dicom, ambiguous-series, and what reading throws */
  open(file: string, signal: AbortSignal): Promise<OpenedFiles>;
  frame(source: FileSource, signal: AbortSignal): Promise<PixelFrame>;
  summary(source: FileSource, signal: AbortSignal): Promise<FrameSummary>;
}

const keptOrders = 16;
const largestPicture = 256 * 1024 ** 2;

export function createLooseFiles(): LooseFiles {
  const orders = new Map<string, readonly string[]>();

  async function open(start: string, signal: AbortSignal): Promise<OpenedFiles> {
    const files = await filesOf(start, signal);
    orders.delete(start);
    orders.set(start, files);
    if (orders.size > keptOrders) orders.delete(orders.keys().next().value!);
    const opened = [];
    for (const file of files) {
      opened.push(
        await withFile(file, async (source) => ({
          path: file,
          sha256: await digest(source, signal),
          numberOfFrames: (await isPictureFile(source)) ? 1 : await frames(source, signal),
        })),
      );
    }
    return { files: opened, summary: await summary({ path: start, index: 0, frame: 1 }, signal) };
  }

  async function fileAt(source: FileSource, signal: AbortSignal): Promise<string> {
    const files = orders.get(source.path) ?? (await filesOf(source.path, signal));
    const file = files[source.index];
    if (file === undefined) throw appError("frame-not-found", `There are ${files.length} files.`);
    return file;
  }

  async function frame(wanted: FileSource, signal: AbortSignal): Promise<PixelFrame> {
    return withFile(await fileAt(wanted, signal), async (source) => {
      if (!(await isPictureFile(source))) {
        return readFrame(await parseHeader(source, signal), wanted.frame, signal);
      }
      if (wanted.frame !== 1) throw appError("frame-not-found", "A picture has one frame.");
      return readPicture(await wholePicture(source));
    });
  }

  async function summary(wanted: FileSource, signal: AbortSignal): Promise<FrameSummary> {
    return withFile(await fileAt(wanted, signal), async (source) => {
      if (await isPictureFile(source)) return pictureSummary(await digest(source, signal));
      return frameSummary(await parseHeader(source, signal), wanted.frame);
    });
  }

  return { open, frame, summary };
}

/** The files behind a path in display order. */
async function filesOf(start: string, signal: AbortSignal): Promise<string[]> {
  const facts = await stat(start).catch((thrown: unknown) => {
    throw appError("file-not-found", `${path.basename(start)} was not found.`, thrown);
  });
  if (!facts.isDirectory()) return [start];
  const entries = await readdir(start, { withFileTypes: true });
  const images: { file: string; header: InstanceHeader }[] = [];
  for (const entry of entries.filter((one) => one.isFile())) {
    throwIfAborted(signal);
    const file = path.join(start, entry.name);
    const header = await withFile(file, (source) => headerOrNull(source, signal));
    if (header?.hasPixels) images.push({ file, header });
  }
  if (images.length === 0) throw appError("not-dicom", "The folder has no DICOM images.");
  if (new Set(images.map(({ header }) => header.seriesInstanceUid)).size > 1) {
    throw appError(
      "ambiguous-series",
      "The folder has more than one series. Choose a folder of one, or a file.",
    );
  }
  const order = sliceOrder(
    images.map(({ header }) => ({
      placement: { position: header.position, orientation: header.orientation },
      instanceNumber: header.instanceNumber,
      sopInstanceUid: header.sopInstanceUid,
      concatenation: header.concatenation,
    })),
  );
  return order.map((index) => images[index]!.file);
}

/** Null for a file that is no DICOM; a damaged one must not go unnoticed among its series. */
async function headerOrNull(source: ByteSource, signal: AbortSignal): Promise<InstanceHeader | null> {
  try {
    return instanceHeader(await parseHeader(source, signal));
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === "not-dicom") return null;
    throw thrown;
  }
}

async function frames(source: ByteSource, signal: AbortSignal): Promise<number> {
  const header: DicomHeader = await parseHeader(source, signal);
  return Math.max(1, instanceHeader(header).numberOfFrames);
}

/** A picture has no identifiers; its own are made from its content (PS3.5 B.2), so that answers can name it. */
function pictureSummary(sha256: string): FrameSummary {
  const uid = `2.25.${BigInt(`0x${sha256.slice(0, 32)}`)}`;
  return {
    studyInstanceUid: uid as StudyUid,
    seriesInstanceUid: uid as SeriesUid,
    sopInstanceUid: uid as InstanceUid,
    frame: 1,
    frameCount: 1,
    patientName: "",
    patientId: "",
    studyDate: "",
    studyDescription: "",
    seriesDescription: "",
    seriesNumber: null,
    instanceNumber: null,
    laterality: "",
    phantom: false,
    facts: { modality: null, bodyPart: null, view: null },
  };
}

async function isPictureFile(source: ByteSource): Promise<boolean> {
  return isPicture(await source.read(0, 8));
}

async function wholePicture(source: ByteSource): Promise<Uint8Array> {
  if (source.size > largestPicture) throw appError("too-large", "A picture may have 256 MB at most.");
  return source.read(0, source.size);
}

async function withFile<T>(file: string, work: (source: ByteSource) => Promise<T>): Promise<T> {
  const source = await openFileSource(file);
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

async function digest(source: ByteSource, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for (let at = 0; at < source.size;) {
    throwIfAborted(signal);
    const chunk = await source.read(at, 1024 * 1024);
    if (chunk.length === 0) break;
    hash.update(chunk);
    at += chunk.length;
  }
  return hash.digest("hex");
}
