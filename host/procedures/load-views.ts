import type { LoadedView } from "../../models/api.ts";
import { appError } from "../../core/errors.ts";
import type { Question } from "../../core/question.ts";
import type { View } from "../../core/view.ts";
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
    return { view, frame, summary: await archive.summariseFileFrame(file, signal) };
  }
  const archive = await context.archive.ready(signal);
  const ref = { sopInstanceUid: source.instance, frame: number };
  const summary = await archive.summariseFrame(ref, signal);
  // The answer is bound to the patient and the study that the header names, whatever the caller said.
  if (summary.studyInstanceUid !== source.study || summary.seriesInstanceUid !== source.series) {
    throw appError("bad-input", "This image does not belong to that study and series.");
  }
  return { view, frame: await archive.readFrame(ref, signal), summary };
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
