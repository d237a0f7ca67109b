import type { LoadedView } from "../../models/api.ts";
import { appError } from "../../core/errors.ts";
import type { Question } from "../../core/question.ts";
import type { PixelFrame } from "../../core/frame.ts";
import type { View } from "../../core/view.ts";
import { defaultVoi } from "../../core/voi.ts";
import type { Context } from "../context.ts";
import { slicesOfSeries } from "./choose-views.ts";

/** The stored values and header facts of a view, read where they were decoded: in the archive process. */
export async function loadView(context: Context, view: View, signal: AbortSignal): Promise<LoadedView> {
  const { source, frame: number } = view;
  if ("file" in source) {
    const archive = context.archive.bare();
    const { files } = await archive.openFiles({ path: source.file }, signal);
    if (files[0]?.sha256 !== source.sha256) {
      throw appError("bad-input", "The file has changed since the question was asked.");
    }
    const file = { path: source.file, index: 0, frame: number };
    const frame = await archive.readFileFrame(file, signal);
    return { view: settled(view, frame), frame, summary: await archive.summariseFileFrame(file, signal) };
  }
  const archive = await context.archive.ready(signal);
  const ref = { sopInstanceUid: source.instance, frame: number };
  const summary = await archive.summariseFrame(ref, signal);
  // The answer is bound to the patient and the study that the header names, whatever the caller said.
  if (summary.studyInstanceUid !== source.study || summary.seriesInstanceUid !== source.series) {
    throw appError("bad-input", "This image does not belong to that study and series.");
  }
  const frame = await archive.readFrame(ref, signal);
  return { view: settled(view, frame), frame, summary };
}

/** The view with nothing left open, so that the record of an answer says what was shown. @throws bad-input */
function settled(view: View, frame: PixelFrame): View {
  const { crop } = view;
  if (crop) {
    const inside = crop.x >= 0 && crop.y >= 0 && crop.width >= 1 && crop.height >= 1;
    if (!inside || crop.x + crop.width > frame.columns || crop.y + crop.height > frame.rows) {
      throw appError(
        "bad-input",
        `The crop does not lie inside the image (${frame.columns} by ${frame.rows}).`,
      );
    }
  }
  return { ...view, voi: view.voi ?? defaultVoi(frame) };
}

/** Frames of the series asked about that no view shows. What a file's series holds, only the caller can know. */
export async function countUnseen(
  context: Context,
  question: Question,
  signal: AbortSignal,
): Promise<number> {
  const shown = new Map<string, Set<string>>();
  let study: Parameters<typeof unseenInStudy>[1]["study"] | null = null;
  for (const { source, frame } of question.views) {
    if (!("instance" in source)) return question.unseenSlices;
    study ??= source.study;
    const frames = shown.get(source.series) ?? new Set();
    shown.set(source.series, frames.add(`${source.instance} ${frame}`));
  }
  return study === null ? 0 : unseenInStudy(context, { study, shown }, signal);
}

async function unseenInStudy(
  context: Context,
  request: {
    study: Extract<View["source"], { study: unknown }>["study"];
    shown: ReadonlyMap<string, ReadonlySet<string>>;
  },
  signal: AbortSignal,
): Promise<number> {
  const archive = await context.archive.ready(signal);
  const all = await archive.listSeries({ studyInstanceUid: request.study }, signal);
  let unseen = 0;
  for (const series of all) {
    const shown = request.shown.get(series.seriesInstanceUid);
    if (shown) unseen += slicesOfSeries(series).length - shown.size;
  }
  return unseen;
}
