import * as f from "./field.ts";
import { normal, type Random } from "./random.ts";

/** A radiograph of 12 stored bits, MONOCHROME2: dense is bright. */
export interface Film {
  readonly rows: number;
  readonly columns: number;
  readonly values: Uint16Array;
}

export interface Exposure {
  readonly random: Random;
  /** Deviation of the noise where the beam is whole; it grows behind dense parts as quanta get fewer. */
  readonly grain: number;
  /** Part of the light that comes from everywhere. */
  readonly scatter: number;
}

const highest = 4095;

/** Attenuation to a digital film: beam, scatter, focus, quantum noise, logarithm. */
export function exposeFilm(attenuation: f.Field, exposure: Exposure): Film {
  const { width, height } = attenuation;
  const beam = f.map(f.blur(attenuation, 1.1), (value) => Math.exp(-value));
  const veil = coarseMean(beam, 32);
  const texture = f.cloud(exposure.random, { width, height }, 5);
  const grain = f.blur(
    f.map(f.emptyField(width, height), () => normal(exposure.random)),
    0.6,
  );
  const dense = f.map(beam, (value, i) => {
    const light = Math.max(0.002, value * (1 - exposure.scatter) + veil.data[i]! * exposure.scatter);
    const noise = (exposure.grain * grain.data[i]!) / Math.sqrt(light + 0.05);
    return -Math.log(light) + noise * 0.55 + 0.006 * texture.data[i]!;
  });
  equalise(dense, 0.38);
  const { low, high } = spread(dense.data);
  const values = Uint16Array.from(dense.data, (value) =>
    Math.min(highest, Math.max(0, Math.round(((value - low) / (high - low)) * (highest - 200) + 60))),
  );
  return { rows: height, columns: width, values };
}

/** Digital systems flatten the wide differences so that lung and spine can be read in one window. */
function equalise(field: f.Field, part: number): void {
  const wide = coarseMean(field, 24);
  f.map(field, (value, i) => value - part * wide.data[i]!);
}

/** A wide blur, computed on cells: scatter has no detail. */
function coarseMean(field: f.Field, cell: number): f.Field {
  const columns = Math.ceil(field.width / cell);
  const rows = Math.ceil(field.height / cell);
  const small = f.fill(f.emptyField(columns, rows), () => 0);
  const counts = new Float32Array(columns * rows);
  for (let y = 0; y < field.height; y += 1) {
    for (let x = 0; x < field.width; x += 1) {
      const at = Math.floor(y / cell) * columns + Math.floor(x / cell);
      small.data[at] = small.data[at]! + field.data[y * field.width + x]!;
      counts[at] = counts[at]! + 1;
    }
  }
  const mean = f.blur(
    f.map(small, (value, i) => value / counts[i]!),
    2.5,
  );
  return f.fill(f.emptyField(field.width, field.height), (x, y) =>
    sample(mean, (x * field.width) / cell, (y * field.width) / cell),
  );
}

function sample(field: f.Field, x: number, y: number): number {
  const clampX = Math.min(field.width - 1.001, Math.max(0, x - 0.5));
  const clampY = Math.min(field.height - 1.001, Math.max(0, y - 0.5));
  const column = Math.floor(clampX);
  const row = Math.floor(clampY);
  const fx = clampX - column;
  const fy = clampY - row;
  const at = row * field.width + column;
  const top = field.data[at]! * (1 - fx) + field.data[at + 1]! * fx;
  const bottom = field.data[at + field.width]! * (1 - fx) + field.data[at + field.width + 1]! * fx;
  return top * (1 - fy) + bottom * fy;
}

/** The 0.1st and 99.9th percentile. */
function spread(values: Float32Array): { low: number; high: number } {
  const sorted = values.filter((_, i) => i % 7 === 0).toSorted();
  const at = (part: number) => sorted[Math.floor(part * (sorted.length - 1))]!;
  return { low: at(0.001), high: at(0.999) };
}
