import { useSyncExternalStore } from "react";
import { errorRecord } from "../../core/errors.ts";
import type { FrameRef } from "../../core/frame.ts";
import type { InstanceUid, Series, SeriesUid, Study } from "../../core/study.ts";
import type { Rectangle, Turn, ViewVoi } from "../../core/view.ts";
import { defaultVoi } from "../../core/voi.ts";
import type { GroundingOverlay } from "../ask/grounding-overlay.ts";
import type { FrameStore, ShownFrame } from "./frame-store.ts";
import { type Camera, fittingCamera, type Size } from "./geometry.ts";
import type { Measurement } from "./measure.ts";
import { hasWindow } from "./presentation.ts";
import { framesOfSeries, neighbours } from "./series-frames.ts";

export type ViewportTool = "window" | "pan" | "zoom" | "scroll" | "length" | "region";

/** What the stage shows. While another slice is read the last one stays, with its own labels. */
export type ViewportImage =
  | { readonly status: "empty" }
  | ({ readonly status: "ready"; readonly index: number } & ShownFrame)
  | {
      readonly status: "failed";
      readonly index: number;
      readonly ref: FrameRef;
      readonly code: string;
      readonly message: string;
    };

export interface ViewportState {
  readonly study: Study | null;
  readonly seriesOfStudy: readonly Series[];
  readonly series: Series | null;
  readonly frames: readonly FrameRef[];
  /** The slice asked for; `image.index` is the one on the stage. */
  readonly index: number;
  readonly image: ViewportImage;
  /** CSS px of the stage. */
  readonly stage: Size;
  /** Null: the default of each frame. */
  readonly voi: ViewVoi | null;
  readonly invert: boolean;
  readonly camera: Camera;
  readonly tool: ViewportTool;
  /** Drawn on the shown frame to ask about. */
  readonly regions: readonly Rectangle[];
  /** Lengths of every frame of the open study; they last until it is closed. */
  readonly measurements: readonly Measurement[];
  /** The stack runs by itself. */
  readonly playing: boolean;
  /** What a sentence rests on, over its own frame. */
  readonly overlay: GroundingOverlay | null;
}

export interface FrameAddress {
  readonly series: SeriesUid;
  readonly instance: InstanceUid;
  readonly frame: number;
}

export interface ViewportStore {
  getState(): ViewportState;
  subscribe(listener: () => void): () => void;
  openStudy(study: Study, seriesOfStudy: readonly Series[]): void;
  openSeries(series: Series, index?: number): void;
  /** Opens the slice that evidence or an answer refers to; false where it is not in the open study. */
  showFrame(address: FrameAddress): boolean;
  close(): void;
  showIndex(index: number): void;
  /** Reads the shown slice again, for example after a lost process. */
  retry(): void;
  setStage(stage: Size): void;
  setVoi(voi: ViewVoi | null): void;
  setInvert(invert: boolean): void;
  setCamera(camera: Camera): void;
  setTurn(turn: Turn): void;
  setTool(tool: ViewportTool): void;
  setRegions(regions: readonly Rectangle[]): void;
  setMeasurements(measurements: readonly Measurement[]): void;
  setPlaying(playing: boolean): void;
  setOverlay(overlay: GroundingOverlay | null): void;
  /** Window, zoom, place, turn and inversion as at first; drawn regions go, lengths stay. */
  reset(): void;
}

const initial: ViewportState = {
  study: null,
  seriesOfStudy: [],
  series: null,
  frames: [],
  index: 0,
  image: { status: "empty" },
  stage: { width: 1, height: 1 },
  voi: null,
  invert: false,
  camera: fittingCamera,
  tool: "window",
  regions: [],
  measurements: [],
  playing: false,
  overlay: null,
};

const prefetchReach = 12;

export function createViewportStore(frameStore: FrameStore): ViewportStore {
  let state = initial;
  const listeners = new Set<() => void>();

  function change(part: Partial<ViewportState>): void {
    state = { ...state, ...part };
    for (const listener of listeners) listener();
  }

  function showIndex(index: number): void {
    const { frames } = state;
    const next = Math.min(frames.length - 1, Math.max(0, index));
    const ref = frames[next];
    if (!ref) {
      change({ index: 0, image: { status: "empty" } });
      return;
    }
    change({ index: next });
    const kept = frameStore.peek(ref);
    if (kept) arrived(kept, next);
    else {
      frameStore.read(ref).then(
        (shown) => arrived(shown, next),
        (thrown: unknown) => {
          if (!isAwaited(ref, next)) return;
          const { code, message } = errorRecord(thrown);
          change({ image: { status: "failed", index: next, ref, code, message }, regions: [] });
        },
      );
    }
    frameStore.prefetch(neighbours(frames, next, prefetchReach));
  }

  /** A slice that the user has scrolled past meanwhile must not appear under another number. */
  function isAwaited(ref: FrameRef, index: number): boolean {
    const awaited = state.frames[index];
    return state.index === index && awaited !== undefined && sameRef(awaited, ref);
  }

  function arrived(shown: ShownFrame, index: number): void {
    const { image } = state;
    if (!isAwaited(shown.ref, index)) return;
    if (image.status === "ready" && image.frame === shown.frame && image.index === index) return;
    const sameFrame = image.status === "ready" && sameRef(image.ref, shown.ref);
    change({
      image: { status: "ready", index, ...shown },
      regions: sameFrame ? state.regions : [],
      voi: state.voi ?? steadyVoi(shown),
    });
  }

  /**
   * A stack without windows in its headers would flicker if every slice took its own percentiles: the first slice
   * shown decides for all.
   */
  function steadyVoi({ frame }: ShownFrame): ViewVoi | null {
    const own = frame.voiWindows.length > 0 || frame.voiTables.length > 0;
    return own || state.frames.length < 2 || !hasWindow(frame) ? null : defaultVoi(frame);
  }

  function openSeries(series: Series, index?: number): void {
    const frames = framesOfSeries(series);
    change({
      series,
      frames,
      image: { status: "empty" },
      voi: null,
      invert: false,
      camera: fittingCamera,
      regions: [],
      playing: false,
    });
    // A volume opens in its middle: the first slice of a CT shows next to nothing.
    showIndex(index ?? (frames.length > 2 ? Math.floor(frames.length / 2) : 0));
  }

  return {
    getState: () => state,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    openStudy(study, seriesOfStudy) {
      change({ ...initial, stage: state.stage, tool: state.tool, study, seriesOfStudy });
      const first = seriesOfStudy.find((series) => framesOfSeries(series).length > 0) ?? seriesOfStudy[0];
      if (first) openSeries(first);
    },
    openSeries,
    showFrame({ series: seriesUid, instance, frame }) {
      const series = state.seriesOfStudy.find((candidate) => candidate.seriesInstanceUid === seriesUid);
      if (!series) return false;
      const index = framesOfSeries(series).findIndex(
        (ref) => ref.sopInstanceUid === instance && ref.frame === frame,
      );
      if (index < 0) return false;
      if (state.series?.seriesInstanceUid === seriesUid) showIndex(index);
      else openSeries(series, index);
      return true;
    },
    close() {
      frameStore.clear();
      change({ ...initial, stage: state.stage, tool: state.tool });
    },
    showIndex,
    retry: () => showIndex(state.index),
    setStage: (stage) => change({ stage }),
    setVoi: (voi) => change({ voi }),
    setInvert: (invert) => change({ invert }),
    setCamera: (camera) => change({ camera }),
    setTurn: (turn) => change({ camera: { ...state.camera, turn } }),
    setTool: (tool) => change({ tool }),
    setRegions: (regions) => change({ regions }),
    setMeasurements: (measurements) => change({ measurements }),
    setPlaying: (playing) => change({ playing: playing && state.frames.length > 1 }),
    setOverlay: (overlay) => change({ overlay }),
    reset() {
      const shown = state.image;
      const voi = shown.status === "ready" ? steadyVoi(shown) : null;
      change({ voi, invert: false, camera: fittingCamera, regions: [] });
    },
  };
}

export function sameRef(
  a: Pick<FrameRef, "sopInstanceUid" | "frame">,
  b: Pick<FrameRef, "sopInstanceUid" | "frame">,
): boolean {
  return a.sopInstanceUid === b.sopInstanceUid && a.frame === b.frame;
}

export function useViewport(store: ViewportStore): ViewportState {
  return useSyncExternalStore(store.subscribe, store.getState);
}

/** Something worked out of the state: drawn again only when it changes. Must give the same value for the same state. */
export function useViewportValue<Value extends string | number | boolean>(
  store: ViewportStore,
  read: (state: ViewportState) => Value,
): Value {
  return useSyncExternalStore(store.subscribe, () => read(store.getState()));
}

/** One member of the state: what only needs the series is not drawn again with every px of a drag. */
export function useViewportPart<Part extends keyof ViewportState>(
  store: ViewportStore,
  part: Part,
): ViewportState[Part] {
  return useSyncExternalStore(store.subscribe, () => store.getState()[part]);
}
