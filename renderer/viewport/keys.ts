import type { Turn } from "../../core/view.ts";
import { fit, zoomBy, zoomOneToOne } from "./gestures.ts";
import { sameRef, type ViewportStore, type ViewportTool } from "./viewport-store.ts";
import { windowPresets } from "./window-presets.ts";

const tools: Readonly<Record<string, ViewportTool>> = {
  w: "window",
  p: "pan",
  z: "zoom",
  s: "scroll",
  l: "length",
  e: "region",
};

const quarters = [0, 90, 180, 270] as const;

const steps: Readonly<Record<string, number>> = {
  ArrowDown: 1,
  ArrowRight: 1,
  ArrowUp: -1,
  ArrowLeft: -1,
  PageDown: 10,
  PageUp: -10,
};

/** Keys of the viewer; true where the key did something. Keys with Ctrl, Alt or Meta belong to the browser. */
export function handleViewerKey(event: KeyboardEvent, store: ViewportStore): boolean {
  if (event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target)) return false;
  const state = store.getState();
  if (state.series === null) return false;
  const step = steps[event.key];
  const letter = event.key.toLowerCase();
  const tool = tools[letter];
  if (step !== undefined || event.key === "Home" || event.key === "End") store.setPlaying(false);
  if (step !== undefined) store.showIndex(state.index + step);
  else if (event.key === "Home") store.showIndex(0);
  else if (event.key === "End") store.showIndex(state.frames.length - 1);
  else if (event.key === "+" || event.key === "=") zoomBy(store, 1.2);
  else if (event.key === "-") zoomBy(store, 1 / 1.2);
  else if (event.key === "Delete" || event.key === "Backspace") removeDrawn(store);
  // On a button the space bar presses it.
  else if (event.key === " " && !isWithin(event.target, "button, summary, a"))
    store.setPlaying(!state.playing);
  else if (letter === "i") store.setInvert(!state.invert);
  else if (letter === "h") store.setTurn(flippedSideways(state.camera.turn));
  else if (letter === "v") store.setTurn(flippedUpsideDown(state.camera.turn));
  else if (letter === "t") store.setTurn(turned(state.camera.turn));
  else if (letter === "f") fit(store);
  else if (letter === "o") zoomOneToOne(store);
  else if (letter === "r") store.reset();
  else if (tool) store.setTool(tool);
  else if (/^[1-9]$/.test(event.key)) return choosePreset(store, Number(event.key) - 1);
  else return false;
  return true;
}

/** Mirrors what is on the screen left to right, however it was turned: a Turn flips first and turns then. */
export function flippedSideways({ flip, rotate }: Turn): Turn {
  return { flip: !flip, rotate: quarters[(4 - rotate / 90) % 4]! };
}

/** Mirrors what is on the screen top to bottom. */
export function flippedUpsideDown({ flip, rotate }: Turn): Turn {
  return { flip: !flip, rotate: quarters[(6 - rotate / 90) % 4]! };
}

/** A quarter to the right. */
export function turned(turn: Turn): Turn {
  return { ...turn, rotate: quarters[(turn.rotate / 90 + 1) % 4]! };
}

/** A marked region first, else the length that was drawn last on this frame. */
export function removeDrawn(store: ViewportStore): void {
  const { image, regions, measurements } = store.getState();
  if (regions.length > 0) store.setRegions([]);
  else if (image.status === "ready") {
    const last = measurements.findLast(({ ref }) => sameRef(ref, image.ref));
    store.setMeasurements(measurements.filter((one) => one !== last));
  }
}

function choosePreset(store: ViewportStore, index: number): boolean {
  const { image } = store.getState();
  if (image.status !== "ready") return false;
  const preset = windowPresets(image.frame, image.summary.facts.modality)[index];
  if (preset) store.setVoi(preset.voi);
  return preset !== undefined;
}

/** Arrow keys and letters belong to a field, a list or a menu that has the focus. */
export function isTyping(target: EventTarget | null): boolean {
  return isWithin(target, "input, textarea, select, [role='menu'], [role='separator'], dialog");
}

function isWithin(target: EventTarget | null, selector: string): boolean {
  return target !== null && "closest" in target && (target as Element).closest(selector) !== null;
}
