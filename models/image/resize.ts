import type { Picture } from "./picture.ts";

/** For each output pixel: the first input pixel that it reads, and the weights of that and the next ones. */
interface Taps {
  readonly first: Int32Array;
  readonly weights: readonly Int32Array[];
}

/** Weights are integers of this many binary places, so that the result is the same on every machine. */
const places = 22;

/** Pillow's BILINEAR and BICUBIC. */
export type Interpolation = "bilinear-antialias" | "bicubic-antialias";

/**
 * Resizes with a filter that widens with the reduction, along rows and along columns, each rounded to 8 bit: the result
 * is that of Pillow's `Image.resize(size, filter)`, with which models are trained.
 */
export function resizePicture(
  picture: Picture,
  size: { width: number; height: number },
  filter: Interpolation = "bilinear-antialias",
): Picture {
  // Pillow's order, which shows in the rounding: rows first, but not where they grow while columns shrink.
  if (size.width > picture.width && size.height < picture.height) {
    return resizeRows(resizeColumns(picture, size.height, filter), size.width, filter);
  }
  const rows = picture.width === size.width ? picture : resizeRows(picture, size.width, filter);
  return rows.height === size.height ? rows : resizeColumns(rows, size.height, filter);
}

function resizeRows(picture: Picture, width: number, filter: Interpolation): Picture {
  const { height, channels, pixels } = picture;
  const taps = filterTaps(picture.width, width, filter);
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

function resizeColumns(picture: Picture, height: number, filter: Interpolation): Picture {
  const { width, channels, pixels } = picture;
  const taps = filterTaps(picture.height, height, filter);
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

const filters: Readonly<Record<Interpolation, { reach: number; height: (distance: number) => number }>> = {
  "bilinear-antialias": { reach: 1, height: (distance) => Math.max(0, 1 - distance) },
  "bicubic-antialias": { reach: 2, height: cubic },
};

/** Keys' cubic with a = −0.5. */
function cubic(distance: number): number {
  if (distance < 1) return (1.5 * distance - 2.5) * distance * distance + 1;
  return distance < 2 ? ((-0.5 * distance + 2.5) * distance - 4) * distance + 2 : 0;
}

function filterTaps(from: number, to: number, filter: Interpolation): Taps {
  const scale = from / to;
  const widening = Math.max(1, scale);
  const { reach: unit, height } = filters[filter];
  const reach = unit * widening;
  const first = new Int32Array(to);
  const weights = Array.from({ length: to }, (_, index) => {
    const center = (index + 0.5) * scale;
    const low = Math.max(0, Math.trunc(center - reach + 0.5));
    const high = Math.min(from, Math.trunc(center + reach + 0.5));
    first[index] = low;
    const heights = Array.from({ length: high - low }, (__, k) =>
      height(Math.abs((low + k - center + 0.5) / widening)),
    );
    const total = heights.reduce((sum, one) => sum + one, 0);
    // Rounded away from zero at halves, as Pillow does.
    return Int32Array.from(heights, (one) => Math.trunc((one / total) * 2 ** places + Math.sign(one) * 0.5));
  });
  return { first, weights };
}

function toByte(sum: number): number {
  const rounded = Math.floor(sum / 2 ** places + 0.5);
  return rounded < 0 ? 0 : rounded > 255 ? 255 : rounded;
}
