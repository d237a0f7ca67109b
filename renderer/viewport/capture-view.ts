import type { View } from "../../core/view.ts";
import { defaultVoi } from "../../core/voi.ts";
import { visiblePart } from "./geometry.ts";
import { hasWindow, pixelAspect } from "./presentation.ts";
import type { ViewportState } from "./viewport-store.ts";

/**
 * What the stage shows, as a reference that any door can replay. The window is written out, because the default of a
 * stack may have come from another slice; the crop is the region that was marked, else the part in view, or null where
 * the whole frame is. Models are given the crop and nothing else: a region beside it would be lost on them.
 * Null where no image is shown (nothing opened, or it could not be decoded).
 */
export function captureView(state: ViewportState, area: "visible" | "whole" = "visible"): View | null {
  const { image, study, series } = state;
  if (image.status !== "ready" || !study || !series) return null;
  const { frame, ref } = image;
  const size = { columns: frame.columns, rows: frame.rows, aspect: pixelAspect(frame) };
  return {
    source: {
      study: study.studyInstanceUid,
      series: series.seriesInstanceUid,
      instance: ref.sopInstanceUid,
    },
    frame: ref.frame,
    voi: hasWindow(frame) ? (state.voi ?? defaultVoi(frame)) : null,
    invert: state.invert,
    crop: area === "whole" ? null : (state.regions[0] ?? visiblePart(state.stage, size, state.camera)),
    turn: state.camera.turn,
    regions: [],
  };
}

/** Which part of the frame a question asked now would be about. */
export function seenPart(state: ViewportState): "whole" | "in-view" | "region" {
  if (state.regions.length > 0) return "region";
  return captureView(state)?.crop ? "in-view" : "whole";
}
