import { exposeFilm, type Film } from "./expose-film.ts";
import * as f from "./field.ts";
import { seededRandom } from "./random.ts";

const width = 640;
const height = 860;

type Place = readonly [number, number];

/** Joints of a ray from the wrist to the finger's tip, in fractions of the width, and its bones' half width. */
interface Ray {
  readonly joints: readonly Place[];
  readonly radius: number;
}

const rays: readonly Ray[] = [
  {
    joints: [
      [0.36, 0.985],
      [0.235, 0.84],
      [0.15, 0.7],
      [0.095, 0.6],
    ],
    radius: 0.024,
  },
  {
    joints: [
      [0.41, 0.935],
      [0.365, 0.665],
      [0.325, 0.475],
      [0.3, 0.36],
      [0.285, 0.28],
    ],
    radius: 0.0235,
  },
  {
    joints: [
      [0.475, 0.93],
      [0.475, 0.645],
      [0.472, 0.43],
      [0.47, 0.3],
      [0.468, 0.21],
    ],
    radius: 0.024,
  },
  {
    joints: [
      [0.53, 0.94],
      [0.575, 0.675],
      [0.605, 0.48],
      [0.622, 0.355],
      [0.632, 0.27],
    ],
    radius: 0.022,
  },
  {
    joints: [
      [0.575, 0.965],
      [0.665, 0.735],
      [0.725, 0.585],
      [0.76, 0.49],
      [0.785, 0.42],
    ],
    radius: 0.02,
  },
];

/** Where the break lies: the neck of the fifth metacarpal. */
export const handFracture = { x: 0.648, y: 0.78, rx: 0.035, ry: 0.03 };

/** A dorsopalmar radiograph of a hand with a broken fifth metacarpal, drawn from bones as hollow tubes. */
export function drawHandRadiograph(seed: number): Film {
  const random = seededRandom(seed);
  const bones = f.emptyField(width, height);
  for (const ray of rays) {
    for (let i = 0; i + 1 < ray.joints.length; i += 1) {
      const last = i + 2 === ray.joints.length;
      addBone(bones, [ray.joints[i]!, ray.joints[i + 1]!], ray.radius * (1 - 0.13 * i) * (last ? 0.92 : 1));
    }
  }
  addWrist(bones);
  breakBone(bones);
  const trabecules = f.blur(f.cloud(random, bones, 4), 0.7);
  const fine = f.cloud(random, bones, 9);
  f.map(bones, (value, i) => value * (1 + 0.04 * trabecules.data[i]! + 0.04 * fine.data[i]!));
  const flesh = softTissue();
  return exposeFilm(
    f.map(flesh, (value, i) => value + bones.data[i]!),
    { random, grain: 0.012, scatter: 0.06 },
  );
}

/** A long bone between two joints: wide ends, narrow shaft, a gap for the cartilage. */
function addBone(field: f.Field, ends: readonly [Place, Place], radius: number): void {
  const [[fromX, fromY], [toX, toY]] = ends;
  const length = Math.hypot(toX - fromX, toY - fromY);
  const gap = Math.min(0.35, (radius * 1.15) / length);
  const shape = [1.22, 1.12, 0.85, 0.72, 0.7, 0.76, 0.95, 1.1, 1.02];
  const points = shape.map((scale, k) => {
    const t = gap + ((1 - 1.75 * gap) * k) / (shape.length - 1);
    const bow = 0.006 * Math.sin(t * Math.PI);
    return { x: fromX + (toX - fromX) * t + bow, y: fromY + (toY - fromY) * t, radius: radius * scale };
  });
  f.addStroke(field, points, { amount: 0.62, profile: f.tube(0.36) });
}

function addWrist(field: f.Field): void {
  const small: readonly (readonly [number, number, number, number])[] = [
    [0.395, 1.0, 0.032, 0.028],
    [0.435, 0.985, 0.024, 0.026],
    [0.482, 1.005, 0.03, 0.042],
    [0.54, 1.01, 0.03, 0.034],
    [0.42, 1.06, 0.034, 0.03],
    [0.48, 1.078, 0.032, 0.03],
    [0.54, 1.072, 0.026, 0.027],
    [0.57, 1.052, 0.018, 0.02],
  ];
  for (const [x, y, rx, ry] of small) {
    f.addEllipsoid(field, { x, y, rx: rx * 1.22, ry: ry * 1.22 }, 0.42);
    f.addEllipsoid(field, { x, y, rx: rx * 1.02, ry: ry * 1.02 }, -0.15);
  }
  const forearm = (points: readonly (readonly [number, number, number])[]) =>
    f.addStroke(
      field,
      points.map(([x, y, radius]) => ({ x, y, radius })),
      { amount: 0.78, profile: f.tube(0.3) },
    );
  forearm([
    [0.44, 1.165, 0.07],
    [0.44, 1.2, 0.066],
    [0.425, 1.4, 0.042],
  ]);
  forearm([
    [0.568, 1.16, 0.028],
    [0.57, 1.2, 0.036],
    [0.56, 1.4, 0.031],
  ]);
}

/** An oblique dark line with a small step in the outline. */
function breakBone(field: f.Field): void {
  const { x, y } = handFracture;
  const crack = [
    { x: x - 0.03, y: y + 0.012, radius: 0.0042 },
    { x: x - 0.008, y: y - 0.004, radius: 0.0046 },
    { x: x + 0.006, y: y + 0.003, radius: 0.004 },
    { x: x + 0.03, y: y - 0.014, radius: 0.0044 },
  ];
  f.map(field, (value, i) => {
    const px = ((i % field.width) + 0.5) / field.width;
    const py = (Math.floor(i / field.width) + 0.5) / field.width;
    if (Math.abs(px - x) > 0.05 || Math.abs(py - y) > 0.05) return value;
    const distance = f.strokeDistance(crack, px, py);
    return distance < 1.6 ? value * (0.25 + 0.75 * f.step(0.5, 1.6, distance)) : value;
  });
}

function softTissue(): f.Field {
  const strokes = rays.map((ray) =>
    ray.joints.map(([x, y], i) => ({ x, y, radius: ray.radius * (2.45 - 0.19 * i) })),
  );
  strokes.push([
    { x: 0.385, y: 0.74, radius: 0.085 },
    { x: 0.42, y: 0.85, radius: 0.12 },
    { x: 0.53, y: 0.84, radius: 0.15 },
    { x: 0.5, y: 1.0, radius: 0.16 },
    { x: 0.5, y: 1.4, radius: 0.165 },
  ]);
  const all = f.emptyField(width, height);
  for (const stroke of strokes) {
    const one = f.emptyField(width, height);
    f.addStroke(one, stroke, {
      amount: 3.4 * Math.max(...stroke.map((point) => point.radius)),
      profile: f.solid,
    });
    // Overlapping flesh is one body, not two.
    f.map(all, (value, i) => Math.max(value, one.data[i]!));
  }
  return f.blur(all, 3);
}
