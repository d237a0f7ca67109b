import { appError } from "../../core/errors.ts";
import type { ViewsChoice, ViewsRequest } from "../../core/question.ts";
import type { Series } from "../../core/study.ts";
import type { View, ViewSource } from "../../core/view.ts";
import type { Context } from "../context.ts";

interface Slice {
  readonly source: ViewSource;
  readonly frame: number;
}

/** @throws ambiguous-series, frame-not-found, pack-not-found, and what reading the files throws */
export async function chooseViews(
  context: Context,
  request: ViewsRequest,
  signal: AbortSignal,
): Promise<ViewsChoice> {
  const { target } = request;
  const slices =
    "path" in target
      ? await slicesOfPath(context, target.path, signal)
      : await slicesOfUid(context, target.uid, signal);
  if (request.frame !== null) {
    const slice = slices[request.frame - 1];
    if (!slice) {
      throw appError("frame-not-found", `There is no frame ${request.frame}; there are ${slices.length}.`);
    }
    return { views: [viewOf(slice)], slices: slices.length };
  }
  const most = slices.length > 1 ? await maxViews(context, request.pack, signal) : 1;
  return { views: spacedEvenly(slices, most).map(viewOf), slices: slices.length };
}

/** `most` of the items at equal distances, each in the middle of its part, in order. */
export function spacedEvenly<Item>(items: readonly Item[], most: number): Item[] {
  if (items.length <= most) return [...items];
  return Array.from({ length: most }, (_, part) => items[Math.floor(((part + 0.5) * items.length) / most)]!);
}

async function maxViews(context: Context, pack: string | null, signal: AbortSignal): Promise<number> {
  const packs = await (await context.inference.ready(signal)).listPacks({}, signal);
  const wanted = pack ?? (await context.settings.read()).pack;
  const found = wanted === null ? packs[0] : packs.find(({ name }) => name === wanted);
  if (!found) throw appError("pack-not-found", "This pack is not installed. See: meditron models list");
  return found.maxViews;
}

async function slicesOfPath(context: Context, path: string, signal: AbortSignal): Promise<Slice[]> {
  const { files } = await context.archive.bare().openFiles({ path }, signal);
  return files.flatMap((file) => framesOf({ file: file.path, sha256: file.sha256 }, file.numberOfFrames));
}

async function slicesOfUid(context: Context, uid: string, signal: AbortSignal): Promise<Slice[]> {
  const found = await (await context.archive.ready(signal)).locate({ uid }, signal);
  if (found.type === "instance") {
    return slicesOfSeries(found.series).filter(
      ({ source }) => "instance" in source && source.instance === found.sopInstanceUid,
    );
  }
  const series = (found.type === "series" ? [found.series] : found.series).filter(({ instances }) =>
    instances.some(({ hasPixels }) => hasPixels),
  );
  if (series.length > 1) {
    const uids = series.map(({ seriesInstanceUid }) => seriesInstanceUid).join(", ");
    throw appError("ambiguous-series", `The study has ${series.length} series. Give one of: ${uids}`);
  }
  const slices = series.flatMap(slicesOfSeries);
  if (slices.length === 0) throw appError("pixel-data-missing", "There is no image to ask about.");
  return slices;
}

/** Every frame of a series in display order. */
export function slicesOfSeries(series: Series): Slice[] {
  return series.instances
    .filter(({ hasPixels }) => hasPixels)
    .flatMap((instance) =>
      framesOf(
        {
          study: series.studyInstanceUid,
          series: series.seriesInstanceUid,
          instance: instance.sopInstanceUid,
        },
        instance.numberOfFrames,
      ),
    );
}

function framesOf(source: ViewSource, count: number): Slice[] {
  return Array.from({ length: count }, (_, index) => ({ source, frame: index + 1 }));
}

function viewOf({ source, frame }: Slice): View {
  return {
    source,
    frame,
    voi: null,
    invert: false,
    crop: null,
    turn: { flip: false, rotate: 0 },
    regions: [],
  };
}
