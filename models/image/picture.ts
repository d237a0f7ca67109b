import type { Rectangle, Turn } from "../../core/view.ts";

/** 8-bit pixels, row-major, `channels` interleaved by pixel. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly pixels: Uint8Array;
}

/** The part of a picture inside a rectangle of whole pixels that lies within it. */
export function cropPicture(picture: Picture, { x, y, width, height }: Rectangle): Picture {
  const { channels } = picture;
  if (x === 0 && y === 0 && width === picture.width && height === picture.height) return picture;
  const pixels = new Uint8Array(width * height * channels);
  for (let row = 0; row < height; row += 1) {
    const start = ((y + row) * picture.width + x) * channels;
    pixels.set(picture.pixels.subarray(start, start + width * channels), row * width * channels);
  }
  return { width, height, channels, pixels };
}

/** Flipped left to right where asked, then turned clockwise. */
export function turnPicture(picture: Picture, { flip, rotate }: Turn): Picture {
  if (!flip && rotate === 0) return picture;
  const { channels } = picture;
  const sideways = rotate === 90 || rotate === 270;
  const width = sideways ? picture.height : picture.width;
  const height = sideways ? picture.width : picture.height;
  const pixels = new Uint8Array(picture.pixels.length);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const [turnedX, fromY] = sourceOf(picture, { x, y }, rotate);
      const fromX = flip ? picture.width - 1 - turnedX : turnedX;
      const from = (fromY * picture.width + fromX) * channels;
      const to = (y * width + x) * channels;
      for (let channel = 0; channel < channels; channel += 1) {
        pixels[to + channel] = picture.pixels[from + channel]!;
      }
    }
  }
  return { width, height, channels, pixels };
}

function sourceOf(
  { width, height }: Picture,
  { x, y }: { x: number; y: number },
  rotate: Turn["rotate"],
): [x: number, y: number] {
  if (rotate === 90) return [y, height - 1 - x];
  if (rotate === 180) return [width - 1 - x, height - 1 - y];
  if (rotate === 270) return [width - 1 - y, x];
  return [x, y];
}

/** Luma of ITU-R 601 in 16-bit integers, as Pillow's `convert("L")` has it. */
export function toGray(picture: Picture): Picture {
  if (picture.channels === 1) return picture;
  const { width, height, pixels } = picture;
  const gray = new Uint8Array(width * height);
  for (let i = 0; i < gray.length; i += 1) {
    gray[i] =
      (pixels[3 * i]! * 19595 + pixels[3 * i + 1]! * 38470 + pixels[3 * i + 2]! * 7471 + 0x8000) >>> 16;
  }
  return { width, height, channels: 1, pixels: gray };
}
