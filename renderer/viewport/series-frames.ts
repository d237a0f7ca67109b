import type { FrameRef } from "../../core/frame.ts";
import type { Series } from "../../core/study.ts";

/** Every frame of a series in display order: instances as the archive ordered them, the frames of each in turn. */
export function framesOfSeries(series: Series): readonly FrameRef[] {
  return series.instances
    .filter((instance) => instance.hasPixels)
    .flatMap(({ sopInstanceUid, numberOfFrames }) =>
      Array.from({ length: Math.max(1, numberOfFrames) }, (_, index) => ({
        sopInstanceUid,
        frame: index + 1,
      })),
    );
}

/** The frames nearest to `index`, nearest first, both ways, for reading ahead. */
export function neighbours(frames: readonly FrameRef[], index: number, reach: number): readonly FrameRef[] {
  const near: FrameRef[] = [];
  for (let away = 1; away <= reach; away += 1) {
    const after = frames[index + away];
    const before = frames[index - away];
    if (after) near.push(after);
    if (before) near.push(before);
  }
  return near;
}
