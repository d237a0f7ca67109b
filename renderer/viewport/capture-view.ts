import type { View } from "../../core/view.ts";
import { defaultVoi } from "../../core/voi.ts";
import { visiblePart } from "./geometry.ts";
import { hasWindow, pixelAspect } from "./presentation.ts";
import type { ViewportState } from "./viewport-store.ts";

/**
 * What the stage shows, as a reference that any door can replay. The window is written out, because the default of a
 * stack may have come from another slice; the crop is the part in view, or null where the whole frame is.
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
    crop: area === "whole" ? null : visiblePart(state.stage, size, state.camera),
    turn: state.camera.turn,
    regions: state.regions.slice(),
  };
}
