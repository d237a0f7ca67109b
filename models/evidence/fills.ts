import type { Rectangle } from "../../core/view.ts";
import type { ModelInput } from "../api.ts";
import { normalNoise, seededRandom } from "./noise.ts";
import { gaussianBlur, mapPlane, meanOf, type Plane, planeOf, withPlanes } from "./plane.ts";

/**
 * "Without the region": its pixels are replaced and the image is encoded again (docs/grounding.md, GRD-12). Two
 * fills, so that the one which selects a region is not the one which tests it. Both act on the 8-bit model input,
 * never on the padding, and carry noise as strong as the image has it there: smoothness must not be a sign.
 */

/** Of the long side of the shown part. The training of the embedded pack uses the same figures at 448 px. */
const blurShare = 0.05;
const detailShare = 3 / 448;
const softShare = 1.5 / 448;

export interface FillArea {
  readonly input: ModelInput;
  /** The part of the input that is not padding. */
  readonly content: Rectangle;
}

/**
 * The whole shown part, blurred, with matched noise: the fill that selects. Computed once for all windows of a size;
 * the blur is as wide as half of their side (px), so that what fills a window does not shine through it.
 */
export function blurredFill(area: FillArea, windowSide: number, seed: number): Plane[] {
  const sigma = Math.max(blurShare * longSide(area), windowSide / 2);
  return channelPlanes(area).map((plane, channel) =>
    addMatchedNoise(gaussianBlur(plane, sigma), plane, { seed: seed + channel, longSide: longSide(area) }),
  );
}

/**
 * What surrounds the rectangles, carried into them (normalised convolution at two widths), with matched noise: the
 * fill that tests. Nothing of the inside is left in it.
 */
export function surroundFill(area: FillArea, rectangles: readonly Rectangle[], seed: number): Plane[] {
  const sigma = blurShare * longSide(area);
  const inside = regionMask(area.content, rectangles, 0);
  const outside = mapPlane(inside, (value) => 1 - value);
  const nearTrust = gaussianBlur(outside, sigma * 0.5);
  const farTrust = gaussianBlur(outside, sigma * 2.5);
  return channelPlanes(area).map((plane, channel) => {
    const known = mapPlane(plane, (value, i) => value * outside.values[i]!);
    const near = gaussianBlur(known, sigma * 0.5).values;
    const far = gaussianBlur(known, sigma * 2.5).values;
    const average = meanWhere(plane.values, outside.values);
    const carried = mapPlane(plane, (_, i) => {
      const trust = nearTrust.values[i]!;
      const wide = farTrust.values[i]! > 1e-3 ? far[i]! / farTrust.values[i]! : average;
      const close = trust > 1e-3 ? near[i]! / trust : wide;
      const share = Math.min(1, trust * 4);
      return close * share + wide * (1 - share);
    });
    // Inside stands the carried value, so that the border of the region is no detail of the image.
    const seamless = mapPlane(carried, (value, i) => value + (plane.values[i]! - value) * outside.values[i]!);
    return addMatchedNoise(carried, seamless, {
      seed: seed + 7919 + channel,
      longSide: longSide(area),
      trust: outside,
    });
  });
}

/** `input` with the rectangles replaced by `fill` (planes over `content`), their edges softened. */
export function replaceRegion(
  area: FillArea,
  rectangles: readonly Rectangle[],
  fill: readonly Plane[],
): ModelInput {
  const { input, content } = area;
  const softness = softShare * longSide(area);
  // Only what the mask can reach is touched: a window is small, and there are dozens of them.
  const part = reachOf(content, rectangles, Math.ceil(3 * softness));
  const mask = regionMask(part, rectangles, softness).values;
  const pixels = input.pixels.slice();
  for (let row = 0; row < part.height; row++) {
    const inFill = (part.y - content.y + row) * content.width + part.x - content.x;
    const inInput = (part.y + row) * input.width + part.x;
    for (let column = 0; column < part.width; column++) {
      const strength = mask[row * part.width + column]!;
      if (strength === 0) continue;
      for (let channel = 0; channel < input.channels; channel++) {
        const at = (inInput + column) * input.channels + channel;
        const value = pixels[at]! + (fill[channel]!.values[inFill + column]! - pixels[at]!) * strength;
        pixels[at] = Math.max(0, Math.min(255, Math.round(value)));
      }
    }
  }
  return { ...input, pixels };
}

/** The reference "blurred": sigma 5 % of the long side, without noise. */
export function blurredReference(area: FillArea): ModelInput {
  const sigma = blurShare * longSide(area);
  return withPlanes(
    area.input,
    area.content,
    channelPlanes(area).map((plane) => gaussianBlur(plane, sigma)),
  );
}

/** The reference "mean-filled": every pixel of the shown part is the mean of its channel. */
export function meanReference(area: FillArea): ModelInput {
  const planes = channelPlanes(area).map((plane) => {
    const mean = meanOf(plane.values);
    return mapPlane(plane, () => mean);
  });
  return withPlanes(area.input, area.content, planes);
}

function channelPlanes({ input, content }: FillArea): Plane[] {
  return Array.from({ length: input.channels }, (_, channel) => planeOf(input, content, channel));
}

function longSide({ content }: FillArea): number {
  return Math.max(content.width, content.height);
}

/** The bounds of the rectangles with a margin, inside `content`; whole pixels. */
function reachOf(content: Rectangle, rectangles: readonly Rectangle[], margin: number): Rectangle {
  const within = (value: number, low: number, length: number) => Math.max(low, Math.min(low + length, value));
  const left = Math.min(...rectangles.map(({ x }) => x));
  const top = Math.min(...rectangles.map(({ y }) => y));
  const right = Math.max(...rectangles.map(({ x, width }) => x + width));
  const bottom = Math.max(...rectangles.map(({ y, height }) => y + height));
  const x = within(Math.floor(left) - margin, content.x, content.width);
  const y = within(Math.floor(top) - margin, content.y, content.height);
  return {
    x,
    y,
    width: within(Math.ceil(right) + margin, content.x, content.width) - x,
    height: within(Math.ceil(bottom) + margin, content.y, content.height) - y,
  };
}

/** 1 inside the rectangles (model input pixels, any fraction), 0 outside; over `part` of the input. */
function regionMask(part: Rectangle, rectangles: readonly Rectangle[], softness: number): Plane {
  const values = new Float32Array(part.width * part.height);
  for (const { x, y, width, height } of rectangles) {
    const left = Math.max(0, Math.round(x - part.x));
    const top = Math.max(0, Math.round(y - part.y));
    const right = Math.min(part.width, Math.round(x + width - part.x));
    const bottom = Math.min(part.height, Math.round(y + height - part.y));
    for (let row = top; row < bottom; row++)
      values.fill(1, row * part.width + left, row * part.width + right);
  }
  const mask = { width: part.width, height: part.height, values };
  return softness < 0.5 ? mask : gaussianBlur(mask, softness);
}

function addMatchedNoise(
  fill: Plane,
  image: Plane,
  { seed, longSide: side, trust }: { seed: number; longSide: number; trust?: Plane },
): Plane {
  const detailSigma = Math.max(0.8, detailShare * side);
  const around = 2 * blurShare * side;
  const smooth = gaussianBlur(image, detailSigma);
  const squares = mapPlane(image, (value, i) => (value - smooth.values[i]!) ** 2 * (trust?.values[i] ?? 1));
  const strength = gaussianBlur(squares, around);
  const weight = trust === undefined ? undefined : gaussianBlur(trust, around);
  const white: Plane = { ...fill, values: normalNoise(fill.values.length, seededRandom(seed)) };
  const noise = gaussianBlur(white, Math.min(1, detailSigma / 2)).values;
  const spread = Math.sqrt(meanOf(noise.map((value) => value * value))) || 1;
  return mapPlane(fill, (value, i) => {
    const local = strength.values[i]! / Math.max(1e-3, weight?.values[i] ?? 1);
    return value + (noise[i]! / spread) * Math.sqrt(Math.max(0, local));
  });
}

function meanWhere(values: Float32Array, weights: Float32Array): number {
  let sum = 0;
  let total = 0;
  for (let i = 0; i < values.length; i++) {
    sum += values[i]! * weights[i]!;
    total += weights[i]!;
  }
  return total > 0 ? sum / total : meanOf(values);
}
