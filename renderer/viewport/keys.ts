import type { Turn } from "../../core/view.ts";
import { zoomBy } from "./gestures.ts";
import type { ViewportStore, ViewportTool } from "./viewport-store.ts";
import { windowPresets } from "./window-presets.ts";

const tools: Readonly<Record<string, ViewportTool>> = {
  w: "window",
  p: "pan",
  z: "zoom",
  s: "scroll",
  e: "region",
};

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
  const tool = tools[event.key.toLowerCase()];
  if (step !== undefined) store.showIndex(state.index + step);
  else if (event.key === "Home") store.showIndex(0);
  else if (event.key === "End") store.showIndex(state.frames.length - 1);
  else if (event.key === "+" || event.key === "=") zoomBy(store, 1.2);
  else if (event.key === "-") zoomBy(store, 1 / 1.2);
  else if (event.key.toLowerCase() === "i") store.setInvert(!state.invert);
  else if (event.key.toLowerCase() === "h") store.setTurn(flipped(state.camera.turn));
  else if (event.key.toLowerCase() === "t") store.setTurn(turned(state.camera.turn));
  else if (event.key.toLowerCase() === "r") store.reset();
  else if (tool) store.setTool(tool);
  else if (/^[1-9]$/.test(event.key)) return choosePreset(store, Number(event.key) - 1);
  else return false;
  return true;
}

export function flipped(turn: Turn): Turn {
  return { ...turn, flip: !turn.flip };
}

/** A quarter to the right. */
export function turned(turn: Turn): Turn {
  return { ...turn, rotate: ([90, 180, 270, 0] as const)[turn.rotate / 90] ?? 0 };
}

function choosePreset(store: ViewportStore, index: number): boolean {
  const { image } = store.getState();
  if (image.status !== "ready") return false;
  const preset = windowPresets(image.frame, image.summary.facts.modality)[index];
  if (preset) store.setVoi(preset.voi);
  return preset !== undefined;
}

/** Arrow keys and letters belong to a field, a list or a menu that has the focus. */
function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof Element &&
    target.closest("input, textarea, select, [role='menu'], [role='separator'], dialog") !== null
  );
}
