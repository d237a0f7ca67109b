import { normalNoise, seededRandom } from "../evidence/noise.ts";
import type { GroundingView } from "../evidence/model-access.ts";
import { gaussianBlur, withPlanes, type Plane } from "../evidence/plane.ts";

/** Images that show nothing, in the shape of a real one: for the null and for reliance. */
export type WrongKind = "blank" | "noise";

export function wrongImage(view: GroundingView, kind: WrongKind, seed: number): GroundingView {
  const random = seededRandom(seed);
  const { width, height } = view.content;
  const level = 20 + 180 * random();
  const planes = Array.from({ length: view.input.channels }, (): Plane => {
    const flat: Plane = { width, height, values: new Float32Array(width * height).fill(level) };
    return kind === "blank" ? flat : noisy(flat, random);
  });
  return { ...view, input: withPlanes(view.input, view.content, planes) };
}

/** Noise of two grains: fine like a detector's and coarse like tissue. */
function noisy({ width, height, values }: Plane, random: () => number): Plane {
  const fine = normalNoise(values.length, random);
  const sigma = Math.max(width, height) * (0.01 + 0.05 * random());
  const coarse = gaussianBlur({ width, height, values: normalNoise(values.length, random) }, sigma).values;
  const spread = Math.sqrt(coarse.reduce((sum, value) => sum + value * value, 0) / coarse.length) || 1;
  const strength = 10 + 40 * random();
  return {
    width,
    height,
    values: values.map((level, i) => level + 12 * fine[i]! + (strength * coarse[i]!) / spread),
  };
}
