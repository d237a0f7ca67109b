import * as f from "./field.ts";
import { normal, seededRandom } from "./random.ts";

const width = 640;
const height = 500;

export interface Echo {
  readonly rows: number;
  readonly columns: number;
  readonly values: Uint8Array;
}

/** The mass, in fractions of the width. */
export const breastLesion = { x: 0.5, y: 0.32, rx: 0.115, ry: 0.088, turn: 0.18 };

/**
 * A B-mode picture of a breast with an echo-poor mass: layers of skin, fat, gland and muscle, the mass with its
 * lobed edge and the shadow behind it, all under speckle.
 */
export function drawBreastUltrasound(seed: number): Echo {
  const random = seededRandom(seed);
  const shape = { width, height };
  const waves = f.cloud(random, shape, 150);
  const lobes = f.cloud(random, shape, 46);
  const streaks = f.blur(f.cloud(random, shape, 10), 9, 0.8);
  const patches = f.cloud(random, shape, 30);
  const echo = f.fill(f.emptyField(width, height), (x, y) => {
    const at = Math.min(width * height - 1, Math.floor(y * width) * width + Math.floor(x * width));
    const bend = 0.009 * waves.data[at]! * f.step(0, 0.1, y);
    const layers = tissue(y + bend, { x, streak: streaks.data[at]!, patch: patches.data[at]! });
    return behindAndInside(x, y, { value: layers, lobe: lobes.data[at]!, patch: patches.data[at]! });
  });
  const speckle = makeSpeckle(random);
  const levels = f.map(f.blur(echo, 1), (value, i) => {
    const depth = Math.floor(i / width) / height;
    // 58 dB of echoes on 256 levels; depth is compensated a little too little.
    return ((20 * Math.log10(Math.max(1e-3, value * speckle.data[i]!)) - 3 * depth + 48) / 58) * 255;
  });
  const values = Uint8Array.from(f.blur(levels, 0.9, 0.7).data, (level) => Math.min(255, Math.max(0, level)));
  return { rows: height, columns: width, values };
}

interface Texture {
  readonly x: number;
  readonly streak: number;
  readonly patch: number;
}

/** Echo strength of the layers from the skin downwards. */
function tissue(depth: number, texture: Texture): number {
  const { streak, patch } = texture;
  if (depth < 0.012) return 0.9;
  if (depth < 0.034) return 0.42 + 0.2 * f.step(0.028, 0.034, depth);
  const septum = Math.max(0, streak - 0.55) * 0.8;
  const fat = 0.055 + 0.012 * patch + 0.5 * septum * septum;
  const gland = 0.2 * Math.exp(0.55 * streak + 0.35 * patch);
  const muscle = 0.07 + 0.16 * Math.max(0, Math.sin(depth * 210 + texture.x * 9 + streak)) ** 6;
  const upper = f.step(0.13, 0.17, depth);
  const lower = f.step(0.5, 0.53, depth);
  const fascia =
    0.75 * Math.exp(-(((depth - 0.52) / 0.006) ** 2)) + 0.5 * Math.exp(-(((depth - 0.62) / 0.005) ** 2));
  return fat * (1 - upper) + gland * upper * (1 - lower) + muscle * lower + fascia;
}

/** The mass is dark with a bright rim; behind its middle the beam is weaker, behind its edges stronger. */
function behindAndInside(
  x: number,
  y: number,
  tissueHere: { value: number; lobe: number; patch: number },
): number {
  const edge = 1 + 0.11 * tissueHere.lobe;
  const distance = f.ellipseDistance(breastLesion, x, y) / edge;
  const rim =
    0.5 *
    Math.exp(-(((distance - 1.06) / 0.05) ** 2)) *
    f.step(0.1, 0.34, Math.abs(x - breastLesion.x) + 0.2);
  const inside = 0.02 * Math.exp(0.4 * tissueHere.patch);
  const mixed = inside + (tissueHere.value - inside) * f.step(0.92, 1.04, distance) + rim * 0.6;
  const below = f.step(breastLesion.y + 0.04, breastLesion.y + 0.14, y);
  const across = Math.abs(x - breastLesion.x) / (breastLesion.rx * 0.95);
  const shadow = 1 - 0.72 * below * (1 - f.step(0.5, 1.05, across));
  return mixed * shadow;
}

/** Fully developed speckle: the length of a random complex number, wider across the beam than along it. */
function makeSpeckle(random: () => number): f.Field {
  const part = () =>
    f.blur(
      f.map(f.emptyField(width, height), () => normal(random)),
      2.6,
      1.2,
    );
  const real = part();
  const imaginary = part();
  let sum = 0;
  f.map(real, (value, i) => {
    const length = f.length2(value, imaginary.data[i]!);
    sum += length;
    return length;
  });
  const mean = sum / real.data.length;
  return f.map(real, (value) => value / mean);
}
