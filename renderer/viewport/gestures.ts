import {
  applyMatrix,
  cameraScale,
  fittingCamera,
  imageToStage,
  invertMatrix,
  panBy,
  type Point,
  zoomAt,
} from "./geometry.ts";
import { hasWindow, pixelAspect } from "./presentation.ts";
import type { ViewportState, ViewportStore, ViewportTool } from "./viewport-store.ts";
import { draggedWindow } from "./window-drag.ts";

/** A notch of a wheel is about 100 px; a touchpad sends many small steps that add up to one. */
const wheelStep = 60;
const scrollDragStep = 14;

/**
 * Mouse and touchpad on the stage: the left button does what the tool says, the middle one pans, the right one
 * zooms, the wheel scrolls (with Ctrl: zooms). Returns the function that ends it.
 */
export function attachGestures(element: HTMLElement, store: ViewportStore): () => void {
  let wheeled = 0;

  function wheel(event: WheelEvent): void {
    event.preventDefault();
    const state = store.getState();
    const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 40 : event.deltaY;
    if (event.ctrlKey) {
      zoomBy(store, Math.exp(-pixels / 400), stagePoint(element, event));
      return;
    }
    wheeled += pixels;
    const steps = Math.trunc(wheeled / wheelStep);
    if (steps === 0) return;
    wheeled -= steps * wheelStep;
    store.setPlaying(false);
    // One notch is one slice, however large the notch.
    store.showIndex(state.index + Math.sign(steps) * (Math.abs(pixels) > wheelStep ? 1 : Math.abs(steps)));
    if (Math.abs(pixels) > wheelStep) wheeled = 0;
  }

  function down(event: PointerEvent): void {
    if (store.getState().image.status !== "ready") return;
    const tool = toolOfButton(event, store.getState().tool);
    if (!tool) return;
    event.preventDefault();
    store.setPlaying(false);
    element.focus({ preventScroll: true });
    element.setPointerCapture(event.pointerId);
    const drag = startDrag(store, tool, stagePoint(element, event));
    const move = (moved: PointerEvent) => drag(stagePoint(element, moved));
    const end = () => {
      element.removeEventListener("pointermove", move);
      element.removeEventListener("pointerup", end);
      element.removeEventListener("pointercancel", end);
    };
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerup", end);
    element.addEventListener("pointercancel", end);
  }

  const noMenu = (event: Event) => event.preventDefault();
  element.addEventListener("wheel", wheel, { passive: false });
  element.addEventListener("pointerdown", down);
  element.addEventListener("contextmenu", noMenu);
  return () => {
    element.removeEventListener("wheel", wheel);
    element.removeEventListener("pointerdown", down);
    element.removeEventListener("contextmenu", noMenu);
  };
}

function toolOfButton(event: PointerEvent, chosen: ViewportTool): ViewportTool | null {
  if (event.button === 0) return event.shiftKey ? "pan" : chosen;
  if (event.button === 1) return "pan";
  if (event.button === 2) return "zoom";
  return null;
}

/** What a drag does from where it started: every move is measured against the start, so that nothing adds up. */
function startDrag(store: ViewportStore, tool: ViewportTool, start: Point): (at: Point) => void {
  const begun = store.getState();
  const { image } = begun;
  const view = viewOf(begun);
  if (image.status !== "ready" || !view) return () => undefined;
  const { frame } = image;
  const by = (at: Point) => ({ x: at.x - start.x, y: at.y - start.y });
  switch (tool) {
    case "window":
      return (at) => {
        if (hasWindow(frame)) store.setVoi(draggedWindow(frame, begun.voi, by(at)));
      };
    case "pan":
      return (at) => store.setCamera(panBy(view, by(at)));
    case "zoom":
      return (at) => store.setCamera(zoomAt(view, start, Math.exp(-by(at).y / 160)));
    case "scroll":
      return (at) => store.showIndex(begun.index + Math.round(by(at).y / scrollDragStep));
    case "length": {
      const back = invertMatrix(imageToStage(view.stage, view.image, view.camera));
      const from = onFrame(applyMatrix(back, start), frame);
      return (at) => {
        const to = onFrame(applyMatrix(back, at), frame);
        // A click is no length.
        const drawn = Math.hypot(by(at).x, by(at).y) > 4;
        const { measurements } = begun;
        store.setMeasurements(drawn ? [...measurements, { ref: image.ref, from, to }] : measurements);
      };
    }
    case "region": {
      const back = invertMatrix(imageToStage(view.stage, view.image, view.camera));
      const corner = applyMatrix(back, start);
      return (at) => {
        const other = applyMatrix(back, at);
        const left = clamp(Math.floor(Math.min(corner.x, other.x)), frame.columns);
        const right = clamp(Math.ceil(Math.max(corner.x, other.x)), frame.columns);
        const top = clamp(Math.floor(Math.min(corner.y, other.y)), frame.rows);
        const bottom = clamp(Math.ceil(Math.max(corner.y, other.y)), frame.rows);
        const drawn = right - left > 2 && bottom - top > 2;
        store.setRegions(drawn ? [{ x: left, y: top, width: right - left, height: bottom - top }] : []);
      };
    }
  }
}

/** Zooms about a point of the stage, by default its middle. */
export function zoomBy(store: ViewportStore, factor: number, at?: Point): void {
  const view = viewOf(store.getState());
  if (!view) return;
  const { stage } = view;
  store.setCamera(zoomAt(view, at ?? { x: stage.width / 2, y: stage.height / 2 }, factor));
}

/** One image pixel on one pixel of the screen, about the middle of the stage. */
export function zoomOneToOne(store: ViewportStore): void {
  const view = viewOf(store.getState());
  if (!view) return;
  const scale = cameraScale(view.stage, view.image, view.camera);
  zoomBy(store, 1 / (scale * (globalThis.devicePixelRatio || 1)));
}

/** The whole image; window, turn and inversion stay. */
export function fit(store: ViewportStore): void {
  const { turn } = store.getState().camera;
  store.setCamera({ ...fittingCamera, turn });
}

export function viewOf(state: ViewportState) {
  const { image, stage, camera } = state;
  if (image.status !== "ready") return null;
  const { frame } = image;
  return {
    stage,
    camera,
    image: { columns: frame.columns, rows: frame.rows, aspect: pixelAspect(frame) },
  };
}

function stagePoint(element: HTMLElement, event: MouseEvent): Point {
  const box = element.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

function onFrame(at: Point, { columns, rows }: { columns: number; rows: number }): Point {
  return { x: clamp(at.x, columns), y: clamp(at.y, rows) };
}

function clamp(value: number, most: number): number {
  return Math.min(most, Math.max(0, value));
}
