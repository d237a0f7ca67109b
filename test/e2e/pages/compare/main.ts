import { Enums, eventTarget, triggerEvent } from "@cornerstonejs/core";
import { decodeFrame } from "../../../../core/frame-codec.ts";
import type { PixelFrame } from "../../../../core/frame.ts";
import { renderFrame } from "../../../../core/render-frame.ts";
import type { Turn } from "../../../../core/view.ts";
import { fittingCamera, uprightTurn } from "../../../../renderer/viewport/geometry.ts";
import { pixelAspect, type Presentation } from "../../../../renderer/viewport/presentation.ts";
import { createSurface, type Surface } from "../../../../renderer/viewport/surface.ts";
import { blankFirstCases, compareCases } from "./frames.ts";

export interface Compared {
  readonly name: string;
  readonly step: number;
  readonly surface: Surface["kind"];
  /** Largest difference of a channel from core/render-frame.ts, in levels. */
  readonly worst: number;
  readonly differing: number;
}

/** A frame that was fetched; `squared`: its pixels are not square and were drawn as if they were, at 1:1. */
export interface ComparedFrame extends Compared {
  readonly squared: boolean;
}

declare global {
  interface Window {
    compareServed(url: string, kind: Surface["kind"]): Promise<ComparedFrame>;
    compareSurfaces(kind: Surface["kind"]): Promise<Compared[]>;
    compareBlankFirst(kind: Surface["kind"]): Promise<Compared[]>;
    compareTurns(kind: Surface["kind"]): Promise<Compared[]>;
    compareAfterLoss(): Promise<Compared[]>;
  }
}

const element = document.querySelector<HTMLElement>("#stage")!;

/** Two frames later what was asked for is on the canvas: Cornerstone draws in the next animation frame. */
async function drawn(): Promise<void> {
  for (let i = 0; i < 2; i += 1) await new Promise(requestAnimationFrame);
}

function picture(): ImageData {
  const canvas = element.querySelector("canvas")!;
  const copy = document.createElement("canvas");
  copy.width = canvas.width;
  copy.height = canvas.height;
  const context = copy.getContext("2d", { willReadFrequently: true })!;
  context.drawImage(canvas, 0, 0);
  return context.getImageData(0, 0, copy.width, copy.height);
}

type Place = (x: number, y: number) => [number, number];

/** The WebGL context goes while an image is shown, as on a remote desktop: what is on the stage afterwards. */
async function afterLoss(): Promise<Compared[]> {
  const surface = createSurface(element);
  const [entry] = compareCases;
  const before = await compareOne(surface, entry!, uprightTurn);
  triggerEvent(eventTarget, Enums.Events.WEBGL_CONTEXT_LOST, {});
  await drawn();
  const { frame, presentation } = entry!.frames[0]!;
  const after = comparePicture(surface, {
    name: "after the loss",
    step: 0,
    frame,
    presentation,
    turn: uprightTurn,
  });
  surface.destroy();
  return [...before, after];
}

async function compareOne(
  surface: Surface,
  entry: (typeof compareCases)[number],
  turn: Turn,
): Promise<Compared[]> {
  const results: Compared[] = [];
  for (const [step, { frame, presentation }] of entry.frames.entries()) {
    const sideways = turn.rotate === 90 || turn.rotate === 270;
    const stage = sideways
      ? { width: frame.rows, height: frame.columns }
      : { width: frame.columns, height: frame.rows };
    element.style.width = `${stage.width}px`;
    element.style.height = `${stage.height}px`;
    await drawn();
    surface.draw({ frame, presentation, camera: { ...fittingCamera, turn }, stage });
    await drawn();
    const name = `${entry.name}${turn === uprightTurn ? "" : ` ${turn.flip ? "flipped " : ""}${turn.rotate}`}`;
    results.push(comparePicture(surface, { name, step, frame, presentation, turn }));
  }
  return results;
}

interface Shown {
  readonly name: string;
  readonly step: number;
  readonly frame: PixelFrame;
  readonly presentation: Presentation;
  readonly turn: Turn;
}

function comparePicture(surface: Surface, { name, step, frame, presentation, turn }: Shown): Compared {
  const wanted = renderFrame(frame, presentation);
  const got = picture();
  const sideways = turn.rotate === 90 || turn.rotate === 270;
  const [width, height] = sideways ? [frame.rows, frame.columns] : [frame.columns, frame.rows];
  let worst = got.width === width && got.height === height ? 0 : 999;
  let differing = 0;
  const place = placeOf(frame.columns, frame.rows, turn);
  for (let y = 0; y < frame.rows; y += 1) {
    for (let x = 0; x < frame.columns; x += 1) {
      const [sx, sy] = place(x, y);
      for (let channel = 0; channel < 3; channel += 1) {
        const at = (y * frame.columns + x) * wanted.channels + (wanted.channels === 3 ? channel : 0);
        const off = Math.abs(wanted.pixels[at]! - got.data[(sy * got.width + sx) * 4 + channel]!);
        if (off > 1) differing += 1;
        worst = Math.max(worst, off);
      }
    }
  }
  return { name, step, surface: surface.kind, worst, differing };
}

/** Written out case by case, not with the app's own matrix: this is what the matrix is checked against. */
function placeOf(columns: number, rows: number, turn: Turn): Place {
  return (x, y) => {
    const fx = turn.flip ? columns - 1 - x : x;
    if (turn.rotate === 90) return [rows - 1 - y, fx];
    if (turn.rotate === 180) return [columns - 1 - fx, rows - 1 - y];
    if (turn.rotate === 270) return [y, columns - 1 - fx];
    return [fx, y];
  };
}

async function compareAll(
  kind: Surface["kind"],
  turns: readonly Turn[],
  cases: typeof compareCases,
): Promise<Compared[]> {
  const surface = createSurface(element, kind);
  const results: Compared[] = [];
  for (const entry of cases) {
    for (const turn of turns) results.push(...(await compareOne(surface, entry, turn)));
  }
  surface.destroy();
  return results;
}

let kept: Surface | null = null;

/** One surface for all frames, as in the app, where what was shown before must not matter. */
async function compareServed(url: string, kind: Surface["kind"]): Promise<ComparedFrame> {
  const surface = (kept ??= createSurface(element, kind));
  const response = await fetch(url);
  const stored = decodeFrame(new Uint8Array(await response.arrayBuffer()));
  const squared = pixelAspect(stored) !== 1;
  const frame = squared ? { ...stored, spacing: null, aspect: 1 } : stored;
  const frames = [{ frame, presentation: { voi: null, invert: false } }];
  const [result] = await compareOne(surface, { name: url, frames }, uprightTurn);
  return { ...result!, squared };
}

window.compareServed = compareServed;
window.compareSurfaces = (kind) => compareAll(kind, [uprightTurn], compareCases);
window.compareBlankFirst = async (kind) => {
  const results: Compared[] = [];
  for (const entry of blankFirstCases) results.push(...(await compareAll(kind, [uprightTurn], [entry])));
  return results;
};
window.compareAfterLoss = afterLoss;
window.compareTurns = (kind) => {
  const turns = [false, true].flatMap((flip) =>
    ([0, 90, 180, 270] as const).map((rotate) => ({ flip, rotate })),
  );
  return compareAll(
    kind,
    turns,
    compareCases.filter(({ name }) => name === "signed"),
  );
};
