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

/**
 * Gaussian blur, sigma in pixels, kernel cut at three sigma, edges repeated. A wide blur is made on a smaller copy:
 * what it leaves has no detail that the copy lacks.
 */
export function gaussianBlur(plane: Plane, sigma: number): Plane {
  if (sigma < 0.2) return plane;
  const step = Math.floor(sigma / 3);
  if (step < 2) return narrowBlur(plane, sigma);
  return enlarge(narrowBlur(reduce(plane, step), sigma / step), plane, step);
}

function narrowBlur(plane: Plane, sigma: number): Plane {
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

/** Means of blocks of step x step pixels; those at the right and bottom edge may be smaller. */
function reduce({ width, height, values }: Plane, step: number): Plane {
  const columns = Math.ceil(width / step);
  const rows = Math.ceil(height / step);
  const sums = new Float32Array(columns * rows);
  const counts = new Float32Array(columns * rows);
  for (let row = 0; row < height; row++) {
    const to = Math.floor(row / step) * columns;
    for (let column = 0; column < width; column++) {
      const block = to + Math.floor(column / step);
      sums[block]! += values[row * width + column]!;
      counts[block]! += 1;
    }
  }
  return { width: columns, height: rows, values: sums.map((sum, index) => sum / counts[index]!) };
}

/** Linear between the centres of the blocks. */
function enlarge(small: Plane, { width, height }: Plane, step: number): Plane {
  const across = linearTaps(width, small.width, step);
  const down = linearTaps(height, small.height, step);
  const values = new Float32Array(width * height);
  for (let row = 0; row < height; row++) {
    const { first: top, second: bottom, share: lower } = down[row]!;
    for (let column = 0; column < width; column++) {
      const { first, second, share } = across[column]!;
      const at = (line: number) =>
        small.values[line * small.width + first]! * (1 - share) +
        small.values[line * small.width + second]! * share;
      values[row * width + column] = at(top) * (1 - lower) + at(bottom) * lower;
    }
  }
  return { width, height, values };
}

function linearTaps(
  length: number,
  blocks: number,
  step: number,
): { first: number; second: number; share: number }[] {
  return Array.from({ length }, (_, index) => {
    const at = Math.max(0, Math.min(blocks - 1, (index + 0.5) / step - 0.5));
    const first = Math.floor(at);
    return { first, second: Math.min(blocks - 1, first + 1), share: at - first };
  });
}
