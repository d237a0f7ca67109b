import type { Picture } from "./picture.ts";

/** For each output pixel: the first input pixel that it reads, and the weights of that and the next ones. */
interface Taps {
  readonly first: Int32Array;
  readonly weights: readonly Int32Array[];
}

/** Weights are integers of this many binary places, so that the result is the same on every machine. */
const places = 22;

/**
 * Resizes with a triangle filter that widens with the reduction ("bilinear-antialias"), along rows and along columns,
 * each rounded to 8 bit: the result is that of Pillow's `Image.resize(size, BILINEAR)`, with which models are trained.
 */
export function resizePicture(picture: Picture, size: { width: number; height: number }): Picture {
  // Pillow's order, which shows in the rounding: rows first, but not where they grow while columns shrink.
  if (size.width > picture.width && size.height < picture.height) {
    return resizeRows(resizeColumns(picture, size.height), size.width);
  }
  const rows = picture.width === size.width ? picture : resizeRows(picture, size.width);
  return rows.height === size.height ? rows : resizeColumns(rows, size.height);
}

function resizeRows(picture: Picture, width: number): Picture {
  const { height, channels, pixels } = picture;
  const taps = triangleTaps(picture.width, width);
  const out = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y += 1) {
    const line = y * picture.width * channels;
    for (let x = 0; x < width; x += 1) {
      const weights = taps.weights[x]!;
      for (let channel = 0; channel < channels; channel += 1) {
        let from = line + taps.first[x]! * channels + channel;
        let sum = 0;
        for (let k = 0; k < weights.length; k += 1, from += channels) sum += pixels[from]! * weights[k]!;
        out[(y * width + x) * channels + channel] = toByte(sum);
      }
    }
  }
  return { width, height, channels, pixels: out };
}

function resizeColumns(picture: Picture, height: number): Picture {
  const { width, channels, pixels } = picture;
  const taps = triangleTaps(picture.height, height);
  const stride = width * channels;
  const out = new Uint8Array(stride * height);
  const sums = new Float64Array(stride);
  for (let y = 0; y < height; y += 1) {
    const weights = taps.weights[y]!;
    sums.fill(0);
    for (let k = 0; k < weights.length; k += 1) {
      const line = (taps.first[y]! + k) * stride;
      const weight = weights[k]!;
      for (let i = 0; i < stride; i += 1) sums[i] = sums[i]! + pixels[line + i]! * weight;
    }
    for (let i = 0; i < stride; i += 1) out[y * stride + i] = toByte(sums[i]!);
  }
  return { width, height, channels, pixels: out };
}

function triangleTaps(from: number, to: number): Taps {
  const scale = from / to;
  const reach = Math.max(1, scale);
  const first = new Int32Array(to);
  const weights = Array.from({ length: to }, (_, index) => {
    const center = (index + 0.5) * scale;
    const low = Math.max(0, Math.trunc(center - reach + 0.5));
    const high = Math.min(from, Math.trunc(center + reach + 0.5));
    first[index] = low;
    const heights = Array.from({ length: high - low }, (__, k) =>
      Math.max(0, 1 - Math.abs((low + k - center + 0.5) / reach)),
    );
    const total = heights.reduce((sum, height) => sum + height, 0);
    return Int32Array.from(heights, (height) => Math.trunc((height / total) * 2 ** places + 0.5));
  });
  return { first, weights };
}

function toByte(sum: number): number {
  const rounded = Math.floor(sum / 2 ** places + 0.5);
  return rounded < 0 ? 0 : rounded > 255 ? 255 : rounded;
}
