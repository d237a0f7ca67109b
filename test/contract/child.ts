import path from "node:path";
import type { ArchiveApi } from "../../archive/api.ts";
import type { ArchiveHealth, DicomCheck, ImportEvent } from "../../core/archive-events.ts";
import { appError, throwIfAborted } from "../../core/errors.ts";
import type { PixelFrame } from "../../core/frame.ts";
import { serveParent } from "./serve-parent.ts";

/**
 * A child process whose work the tests control: it is started, spoken to and killed like the archive process, but
 * its streams end, break, hang or go on for ever as their input says. `health` tells what happened in it.
 */

const told = { aborted: 0, opened: 0 };
const uploads = new Map<string, { octets: number; sum: number; files: number }>();

const archive: Partial<ArchiveApi> = {
  open: () => {
    told.opened += 1;
    return Promise.resolve(health());
  },
  health: () => Promise.resolve(health()),
  close: () => Promise.resolve(),
  async listStudies({ search }, signal) {
    if (search === "hang") await untilAborted(signal);
    if (search === "boom") throw new Error("DOE^JANE in /images/secret.dcm");
    return [];
  },
  async *checkFiles({ paths }, signal) {
    const kind = path.basename(paths[0] ?? "");
    if (kind === "three") for (let i = 1; i <= 3; i++) yield check(i);
    if (kind === "break") {
      yield check(1);
      throw appError("dicom-damaged", "The file ends too early.");
    }
    if (kind === "silent") {
      yield check(1);
      await untilAborted(signal);
    }
    if (kind === "endless") {
      try {
        for (let i = 1; ; i++) {
          throwIfAborted(signal);
          yield check(i);
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
      } finally {
        told.aborted += 1;
      }
    }
  },
  uploadChunk({ upload, offset, chunk, last }) {
    const sofar = uploads.get(upload) ?? { octets: 0, sum: 0, files: 0 };
    if (offset !== sofar.octets) throw appError("bad-input", "The parts come out of order.");
    const sum = chunk.reduce(
      (total, octet, index) => (total + octet * ((offset + index) % 251)) % 1_000_003,
      sofar.sum,
    );
    uploads.set(upload, { octets: offset + chunk.length, sum, files: sofar.files + (last ? 1 : 0) });
    return Promise.resolve();
  },
  async *importUpload({ upload }) {
    const { octets, sum, files } = uploads.get(upload)!;
    const event: ImportEvent = {
      type: "done",
      imported: octets,
      duplicates: sum,
      conflicts: files,
      ignored: 0,
      failed: 0,
      studies: [],
    };
    yield event;
  },
  discardUpload: () => Promise.resolve(),
  readFrame: () => Promise.resolve(frame),
};

/** Position-weighted, so that swapped or lost parts change it; the tests compute the same. */
export const frame: PixelFrame = {
  rows: 2,
  columns: 3,
  samplesPerPixel: 1,
  bitsAllocated: 16,
  bitsStored: 12,
  signed: true,
  photometric: "MONOCHROME2",
  values: Int16Array.from([-2048, -1, 0, 1, 100, 2047]),
  modalityTransform: { type: "rescale", slope: 1, intercept: -1024, unit: "HU" },
  voiWindows: [{ center: 40, width: 400, function: "LINEAR", explanation: "" }],
  voiTables: [],
  palette: null,
  presentationInverse: false,
  padding: null,
  spacing: null,
  aspect: 1,
  placement: { orientation: null, position: null, patientOrientation: null },
  warnings: [],
};

function health(): ArchiveHealth {
  return {
    studies: told.opened,
    instances: told.aborted,
    bytes: process.pid,
    schemaVersion: 1,
    repairs: [],
  };
}

function check(index: number): DicomCheck {
  return {
    file: `file ${index}`,
    status: "ok",
    error: null,
    transferSyntax: "1.2.840.10008.1.2.1",
    sopClass: null,
    frames: 1,
    framesDecoded: 1,
    rows: 2,
    columns: 3,
    samples: 1,
    bitsAllocated: 16,
    bitsStored: 12,
    signed: true,
    photometric: "MONOCHROME2",
    sha256: [],
    warnings: [],
  };
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => {
      told.aborted += 1;
      reject(appError("cancelled", "Cancelled."));
    });
  });
}

if (process.send) serveParent(archive);
