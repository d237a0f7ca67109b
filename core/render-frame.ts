import { renderColour, renderPalette } from "./colour.ts";
import { appError } from "./errors.ts";
import type { PixelFrame } from "./frame.ts";
import { isPadding, modalityMapper, storedRange } from "./modality.ts";
import type { ViewVoi } from "./view.ts";
import { defaultVoi, voiMapper } from "./voi.ts";

export interface RenderOptions {
  /** Null: the frame's default (core/voi.ts). Without effect on colour. */
  readonly voi: ViewVoi | null;
  /** The user's inversion, on top of what the header asks for. */
  readonly invert?: boolean;
}

/** 8-bit picture at the stored size, row-major, colour interleaved. */
export interface RenderedImage {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly pixels: Uint8Array;
}

/** More levels than this are computed for each pixel instead of by a table. */
const widestTable = 65_536;

/**
 * The only way from stored values to what is seen, for thumbnails, model input and the CPU viewport
 * (PS3.4 N.2: modality LUT, VOI LUT, presentation LUT):
 * - grey: modality transform, VOI, MONOCHROME1 or Presentation LUT Shape INVERSE, the user's inversion;
 * - padding is black, whatever the window; the user's inversion applies to it as to the rest;
 * - palette and colour: to RGB, then the user's inversion.
 * Never changes the frame.
 * @throws bad-input where `voi` names a table that the frame does not have, or the frame has too few values.
 */
export function renderFrame(frame: PixelFrame, options: RenderOptions): RenderedImage {
  if (frame.values.length < frame.rows * frame.columns * frame.samplesPerPixel) {
    throw appError("bad-input", "The frame has fewer values than pixels.");
  }
  const size = { width: frame.columns, height: frame.rows };
  const invert = options.invert ?? false;
  if (frame.samplesPerPixel === 3) {
    return { ...size, channels: 3, pixels: inverted(renderColour(frame), frame, invert) };
  }
  if (frame.photometric === "PALETTE COLOR" && frame.palette) {
    return { ...size, channels: 3, pixels: inverted(renderPalette(frame, frame.palette), frame, invert) };
  }
  return { ...size, channels: 1, pixels: renderGrey(frame, options.voi ?? defaultVoi(frame), invert) };
}

/** Whether the header asks for the lowest value to be shown white. */
export function shownInverse(frame: Pick<PixelFrame, "photometric" | "presentationInverse">): boolean {
  // Not an exclusive or: the DX module demands INVERSE together with MONOCHROME1 (PS3.3 C.8.11.3.1.2).
  return frame.photometric === "MONOCHROME1" || frame.presentationInverse;
}

function renderGrey(frame: PixelFrame, voi: ViewVoi, invert: boolean): Uint8Array {
  const level = levelMapper(frame, voi, invert);
  const { values } = frame;
  const out = new Uint8Array(values.length);
  const range = integerRange(frame);
  if (!range || range.high - range.low >= widestTable) {
    for (let i = 0; i < values.length; i += 1) out[i] = level(values[i]!);
    return out;
  }
  const table = new Uint8Array(range.high - range.low + 1);
  for (let i = 0; i < table.length; i += 1) table[i] = level(range.low + i);
  const { low } = range;
  for (let i = 0; i < values.length; i += 1) out[i] = table[values[i]! - low]!;
  return out;
}

function levelMapper(frame: PixelFrame, voi: ViewVoi, invert: boolean): (stored: number) => number {
  const toModality = modalityMapper(frame);
  const toLevel = voiMapper(frame, voi);
  const inverse = shownInverse(frame) !== invert;
  const background = invert ? 255 : 0;
  return (stored) => {
    if (isPadding(frame, stored)) return background;
    const level = (toLevel(toModality(stored)) + 0.5) | 0;
    return inverse ? 255 - level : level;
  };
}

/** All stored values, padding included, so that every pixel has its entry in the table. */
function integerRange(frame: PixelFrame): { low: number; high: number } | null {
  const { values } = frame;
  if (values instanceof Float32Array || values instanceof Float64Array) return null;
  return storedRange({ values, padding: null });
}

function inverted(pixels: Uint8Array, frame: PixelFrame, invert: boolean): Uint8Array {
  // 8-bit RGB is shown as it is stored; a copy keeps a caller that draws on the picture off the frame.
  const out = pixels.buffer === frame.values.buffer ? pixels.slice() : pixels;
  if (invert) for (let i = 0; i < out.length; i += 1) out[i] = 255 - out[i]!;
  return out;
}
