import type { ModelInput } from "../api.ts";
import type { Rectangle } from "../../core/view.ts";

/** Grey values of a part of an image in float, so that blurs do not round. Row-major. */
export interface Plane {
  readonly width: number;
  readonly height: number;
  readonly values: Float32Array;
}

/** The pixels of one channel of an input inside `area` (whole numbers). */
export function planeOf(input: ModelInput, area: Rectangle, channel: number): Plane {
  const { x, y, width, height } = area;
  const values = new Float32Array(width * height);
  for (let row = 0; row < height; row++) {
    let from = ((y + row) * input.width + x) * input.channels + channel;
    for (let column = 0; column < width; column++, from += input.channels) {
      values[row * width + column] = input.pixels[from]!;
    }
  }
  return { width, height, values };
}

/** A copy of `input` whose channel inside `area` is `plane`, rounded and clipped to 8 bit. */
export function withPlanes(input: ModelInput, area: Rectangle, planes: readonly Plane[]): ModelInput {
  const pixels = input.pixels.slice();
  for (const [channel, plane] of planes.entries()) {
    for (let row = 0; row < area.height; row++) {
      let to = ((area.y + row) * input.width + area.x) * input.channels + channel;
      for (let column = 0; column < area.width; column++, to += input.channels) {
        pixels[to] = Math.max(0, Math.min(255, Math.round(plane.values[row * area.width + column]!)));
      }
    }
  }
  return { ...input, pixels };
}

export function mapPlane(plane: Plane, change: (value: number, index: number) => number): Plane {
  return { ...plane, values: plane.values.map(change) };
}

export function meanOf(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return values.length === 0 ? 0 : sum / values.length;
}

/** Gaussian blur, sigma in pixels, kernel cut at three sigma, edges repeated. */
export function gaussianBlur(plane: Plane, sigma: number): Plane {
  if (sigma < 0.2) return plane;
  const radius = Math.max(1, Math.ceil(3 * sigma));
  const kernel = Float32Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-0.5 * ((i - radius) / sigma) ** 2),
  );
  const total = kernel.reduce((sum, value) => sum + value, 0);
  const weights = kernel.map((value) => value / total);
  const { width, height, values } = plane;
  const across = new Float32Array(values.length);
  const line = new Float32Array(width + 2 * radius);
  for (let row = 0; row < height; row++) {
    const at = row * width;
    line.fill(values[at]!, 0, radius);
    line.set(values.subarray(at, at + width), radius);
    line.fill(values[at + width - 1]!, radius + width);
    for (let column = 0; column < width; column++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k]! * line[column + k]!;
      across[at + column] = sum;
    }
  }
  // Down the columns row by row: the inner loop runs along memory.
  const down = new Float32Array(values.length);
  for (let row = 0; row < height; row++) {
    const to = row * width;
    for (let k = 0; k < weights.length; k++) {
      const from = Math.max(0, Math.min(height - 1, row + k - radius)) * width;
      const weight = weights[k]!;
      for (let column = 0; column < width; column++) down[to + column]! += weight * across[from + column]!;
    }
  }
  return { width, height, values: down };
}
