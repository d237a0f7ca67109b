import type { InstanceUid, Series } from "../../core/study.ts";
import type { FileDifference, Variant } from "../../core/variant.ts";
import { framesOfSeries } from "../viewport/series-frames.ts";

/** An image that more than one file came for. */
export interface Conflict {
  readonly sopInstanceUid: InstanceUid;
  /** "CT, series 3 Lung, image 14 of 64": as the viewer counts. */
  readonly title: string;
  readonly shownFrames: number;
  /** Those that are kept beside the shown one, oldest first. */
  readonly others: readonly Variant[];
}

/** By series and image, in the order of the viewer; `series` null for all of the study. */
export function conflictsOf(
  variants: readonly Variant[],
  seriesOfStudy: readonly Series[],
  series: string | null,
): readonly Conflict[] {
  return seriesOfStudy
    .filter(({ seriesInstanceUid }) => series === null || seriesInstanceUid === series)
    .flatMap((one) => {
      const frames = framesOfSeries(one);
      return one.instances.flatMap(({ sopInstanceUid, numberOfFrames }) => {
        const others = variants.filter((variant) => variant.sopInstanceUid === sopInstanceUid);
        if (others.length === 0) return [];
        const at = frames.findIndex((frame) => frame.sopInstanceUid === sopInstanceUid);
        const place = at < 0 ? "no image" : `image ${at + 1} of ${frames.length}`;
        const title = [seriesTitle(one), place].join(", ");
        return [{ sopInstanceUid, title, shownFrames: numberOfFrames, others }];
      });
    });
}

/** Files beside the shown ones, by series. */
export function countBySeries(variants: readonly Variant[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { seriesInstanceUid: series } of variants) counts.set(series, (counts.get(series) ?? 0) + 1);
  return counts;
}

/** What differs, in a few words. */
export function differenceText(difference: FileDifference | null): string {
  if (!difference) return "not compared: one of the files is damaged";
  const { pixels, elements, moreElements } = difference;
  const count = elements.length + moreElements;
  const header = count === 0 ? "" : count === 1 ? "1 header field differs" : `${count} header fields differ`;
  const image = { same: "same pixels", different: "the pixels differ", none: "no pixels" }[pixels];
  return [image, header].filter((part) => part !== "").join(", ");
}

function seriesTitle({ modality, seriesNumber, seriesDescription }: Series): string {
  const number = seriesNumber === null ? "" : `series ${seriesNumber}`;
  const name = [number, seriesDescription].filter((part) => part !== "").join(" ");
  return [modality, name].filter((part) => part !== "").join(", ");
}
