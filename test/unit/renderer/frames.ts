import type { Client } from "../../../core/client.ts";
import { encodeFrame } from "../../../core/frame-codec.ts";
import { appError } from "../../../core/errors.ts";
import type { FrameRef, FrameSummary, PixelFrame } from "../../../core/frame.ts";
import type { InstanceUid, Series, SeriesUid, Study, StudyUid } from "../../../core/study.ts";
import { frameOf } from "../../fixtures/sample-frame.ts";

/** Frames and studies made by hand for tests of the renderer. */

export function grey(part: Partial<PixelFrame> = {}): PixelFrame {
  const rows = part.rows ?? 4;
  const columns = part.columns ?? 6;
  return frameOf(part.values ?? new Int16Array(rows * columns), {
    rows,
    columns,
    samplesPerPixel: 1,
    bitsAllocated: 16,
    bitsStored: 16,
    signed: true,
    voiWindows: [{ center: 40, width: 400, function: "LINEAR", explanation: "" }],
    ...part,
  });
}

export const study = { studyInstanceUid: "1.1" as StudyUid } as Study;

export function seriesOf(uid: string, counts: readonly number[]): Series {
  return {
    seriesInstanceUid: uid as SeriesUid,
    studyInstanceUid: study.studyInstanceUid,
    modality: "CT",
    seriesNumber: 1,
    seriesDescription: "",
    bodyPartExamined: "",
    instances: counts.map((numberOfFrames, index) => ({
      sopInstanceUid: `${uid}.${index + 1}` as InstanceUid,
      sopClassUid: "1.2",
      instanceNumber: index + 1,
      numberOfFrames,
      rows: 4,
      columns: 6,
      hasPixels: numberOfFrames > 0,
    })),
  };
}

/** A client whose frames arrive when the test says so: `release` answers what waits for a frame. */
export function slowFrames(answerTo: (ref: FrameRef) => PixelFrame | Error) {
  const waiting = new Map<string, (() => void)[]>();
  const asked: string[] = [];
  const key = (ref: FrameRef) => `${ref.sopInstanceUid}#${ref.frame}`;
  const client = {
    bytes: (_name: string, ref: FrameRef) =>
      new Promise<Uint8Array>((resolve, reject) => {
        asked.push(key(ref));
        const answer = () => {
          const frame = answerTo(ref);
          if (frame instanceof Error) reject(frame);
          else resolve(encodeFrame(frame));
        };
        waiting.set(key(ref), [...(waiting.get(key(ref)) ?? []), answer]);
      }),
    call: (_name: string, ref: FrameRef) =>
      Promise.resolve({ sopInstanceUid: ref.sopInstanceUid, frame: ref.frame } as FrameSummary),
  } as unknown as Client;
  return {
    client,
    asked,
    async release(name: string): Promise<void> {
      for (const answer of waiting.get(name) ?? []) answer();
      waiting.delete(name);
      await settle();
    },
  };
}

/** Lets every promise that is resolved already take its turn. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i += 1) await Promise.resolve();
}

export const broken = appError("pixel-data-damaged", "The JPEG stream ends early.");
