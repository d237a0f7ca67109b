import type { Palette, PixelFrame } from "./frame.ts";

/** RGB, 8 bit, interleaved, from a frame with three samples a pixel. Deeper samples are scaled to 8 bit. */
export function renderColour(frame: PixelFrame): Uint8Array {
  const bits = Math.min(frame.bitsStored, 32);
  const eight = toEightBit(frame, bits);
  return frame.photometric === "RGB" ? eight : ybrToRgb(eight);
}

/** RGB by the palette (PS3.3 C.7.6.3.1.5); an index outside it takes the first or the last entry. */
export function renderPalette(frame: PixelFrame, palette: Palette): Uint8Array {
  const { values } = frame;
  const last = palette.red.length - 1;
  const out = new Uint8Array(values.length * 3);
  for (let i = 0, o = 0; i < values.length; i += 1, o += 3) {
    const index = Math.min(Math.max(values[i]! - palette.firstMapped, 0), last);
    out[o] = palette.red[index]!;
    out[o + 1] = palette.green[index]!;
    out[o + 2] = palette.blue[index]!;
  }
  return out;
}

/**
 * YBR_FULL to RGB: the inverse of PS3.3 C.7.6.3.1.2,
 * Y = .2990 R + .5870 G + .1140 B, CB = -.1687 R - .3313 G + .5 B + 128, CR = .5 R - .4187 G - .0813 B + 128.
 * YBR_FULL_422 arrives here with its chroma repeated to every pixel.
 */
export function ybrToRgb(ybr: Uint8Array): Uint8Array {
  const out = new Uint8Array(ybr.length);
  for (let i = 0; i + 2 < ybr.length; i += 3) {
    const y = ybr[i]!;
    const cb = ybr[i + 1]! - 128;
    const cr = ybr[i + 2]! - 128;
    out[i] = clamp(y + 1.402 * cr);
    out[i + 1] = clamp(y - 0.344136 * cb - 0.714136 * cr);
    out[i + 2] = clamp(y + 1.772 * cb);
  }
  return out;
}

function toEightBit(frame: PixelFrame, bits: number): Uint8Array {
  const { values } = frame;
  if (bits === 8 && values instanceof Uint8Array) return values;
  const offset = frame.signed ? 2 ** (bits - 1) : 0;
  const scale = 255 / (2 ** bits - 1);
  const out = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i += 1) out[i] = clamp((values[i]! + offset) * scale);
  return out;
}

function clamp(level: number): number {
  return level <= 0 ? 0 : level >= 255 ? 255 : (level + 0.5) | 0;
}
