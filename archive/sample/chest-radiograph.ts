import * as f from "./field.ts";
import { exposeFilm, type Film } from "./expose-film.ts";
import { seededRandom, type Random } from "./random.ts";

const width = 900;
const height = 960;

/** Where the nodule lies, in fractions of the width: the image's left is the patient's right. */
export const chestNodule = { x: 0.292, y: 0.375, rx: 0.025, ry: 0.023 };

/**
 * A posteroanterior chest radiograph by adding up the attenuation of simple bodies: trunk, lungs, heart, spine,
 * ribs, vessels and one nodule in the right lung. It teaches nothing about any real patient.
 */
export function drawChestRadiograph(seed: number): Film {
  const random = seededRandom(seed);
  const field = f.emptyField(width, height);
  f.fill(field, softTissue);
  addMediastinum(field);
  addBones(field);
  addVessels(field, random);
  f.addEllipsoid(field, chestNodule, 0.36);
  f.addEllipsoid(
    field,
    { ...chestNodule, x: chestNodule.x + 0.008, y: chestNodule.y + 0.009, rx: 0.015, ry: 0.014 },
    0.1,
  );
  return exposeFilm(field, { random, grain: 0.018, scatter: 0.28 });
}

/** Trunk, shoulders and neck without air, and the lungs taken out of them where the heart leaves them room. */
function softTissue(x: number, y: number): number {
  const body = chord(Math.abs(x - 0.5), trunkHalfWidth(y)) * (1.55 + 0.35 * f.step(0.62, 1, y));
  return body - (lungAir(x, y, -1) + lungAir(x, y, 1)) * (1 - 0.8 * heart(x, y));
}

/** 1 where heart and great vessels fill the chest from front to back. */
function heart(x: number, y: number): number {
  const left = f.ellipseDistance({ x: 0.56, y: 0.625, rx: 0.158, ry: 0.118, turn: 0.55 }, x, y);
  const right = f.ellipseDistance({ x: 0.46, y: 0.62, rx: 0.078, ry: 0.125 }, x, y);
  const arch = f.ellipseDistance({ x: 0.545, y: 0.325, rx: 0.052, ry: 0.05 }, x, y);
  return Math.max(soften(left), 0.75 * soften(right), 0.75 * soften(arch));
}

function soften(distance: number): number {
  return distance < 1 ? (1 - distance ** 4) ** 0.7 : 0;
}

function trunkHalfWidth(y: number): number {
  const shoulder = 0.14 + 0.42 * f.step(-0.03, 0.19, y);
  return shoulder - 0.12 * f.step(0.2, 0.55, y) + 0.03 * f.step(0.7, 1.05, y);
}

/** Thickness of air on one side; -1 is the image's left. */
function lungAir(x: number, y: number, side: number): number {
  const right = side < 0;
  const along = (x - 0.5) * side;
  if (along < 0.02) return 0;
  const outer = 0.345 - 0.13 * (1 - f.step(0.1, 0.5, y)) ** 2;
  const inner = right ? 0.062 : 0.07 + 0.025 * f.step(0.4, 0.62, y);
  const middle = (outer + inner) / 2;
  const half = (outer - inner) / 2;
  const across = Math.abs(along - middle) / half;
  const apex = f.step(0.085 + 0.05 * across ** 2, 0.3, y);
  const dome = domeHeight(along, right);
  const base = 1 - f.step(dome - 0.012, dome + 0.016, y);
  // Behind the dome the lung goes on downwards, thinner and thinner.
  const recess = 0.17 * (1 - f.step(dome, dome + 0.1, y));
  const profile = Math.sqrt(Math.max(0, 1 - across ** 2.6));
  return 1.28 * profile * (0.25 + 0.75 * apex) * f.step(0.085, 0.12, y) * Math.max(base, recess);
}

function domeHeight(along: number, right: boolean): number {
  const top = right ? 0.735 : 0.765;
  const from = (along - 0.2) / 0.16;
  return top + 0.055 * from ** 2 + 0.05 * f.step(0.27, 0.345, along);
}

function chord(distance: number, half: number): number {
  return Math.sqrt(Math.max(0, 1 - (distance / half) ** 2));
}

function addMediastinum(field: f.Field): void {
  f.addStroke(field, line([0.46, 0.1, 0.03], [0.452, 0.3, 0.035], [0.448, 0.5, 0.045]), soft(0.24));
  f.addStroke(field, line([0.5, -0.1, 0.11], [0.5, 0.3, 0.072], [0.5, 1.2, 0.1]), soft(0.24));
  f.addStroke(field, line([0.552, 0.33, 0.03], [0.55, 0.6, 0.028], [0.53, 1.1, 0.03]), soft(0.12));
  f.addStroke(field, line([0.53, 0.39, 0.03], [0.575, 0.435, 0.03]), soft(0.22));
  // Air: windpipe with its two branches, and the stomach under the left dome.
  f.addStroke(field, line([0.5, 0, 0.021], [0.502, 0.2, 0.019], [0.497, 0.345, 0.02]), soft(-0.3));
  f.addStroke(field, line([0.497, 0.345, 0.015], [0.45, 0.42, 0.012]), soft(-0.2));
  f.addStroke(field, line([0.497, 0.345, 0.014], [0.56, 0.415, 0.011]), soft(-0.2));
  f.addEllipsoid(field, { x: 0.66, y: 0.865, rx: 0.07, ry: 0.042, turn: -0.2 }, -0.3);
}

function addBones(field: f.Field): void {
  for (let i = 0; i < 16; i += 1) addVertebra(field, 0.01 + i * 0.069);
  for (const side of [-1, 1]) {
    for (let i = 0; i < 10; i += 1) addRib(field, i, side);
    const clavicle = line(
      [0.5 + side * 0.035, 0.185, 0.019],
      [0.5 + side * 0.11, 0.163, 0.014],
      [0.5 + side * 0.22, 0.128, 0.012],
      [0.5 + side * 0.33, 0.117, 0.015],
      [0.5 + side * 0.385, 0.128, 0.014],
    );
    f.addStroke(field, clavicle, { amount: 0.36, profile: f.tube(0.3) });
    // Shoulder blade and the head of the upper arm.
    const blade = line(
      [0.5 + side * 0.36, 0.15, 0.035],
      [0.5 + side * 0.37, 0.3, 0.05],
      [0.5 + side * 0.335, 0.46, 0.018],
    );
    f.addStroke(field, blade, { amount: 0.16, profile: f.tube(0.16) });
    f.addEllipsoid(field, { x: 0.5 + side * 0.455, y: 0.19, rx: 0.05, ry: 0.055 }, 0.3);
  }
}

function addVertebra(field: f.Field, y: number): void {
  const half = 0.036 + 0.006 * y;
  f.addStroke(field, line([0.5 - half + 0.022, y, 0.025], [0.5 + half - 0.022, y, 0.025]), {
    amount: 0.15,
    profile: (distance) => (distance < 0.86 ? 0.75 : 1) * f.step(1, 0.9, distance),
  });
  for (const side of [-1, 1]) {
    f.addEllipsoid(field, { x: 0.5 + side * (half - 0.011), y: y - 0.004, rx: 0.008, ry: 0.012 }, 0.13);
  }
  f.addEllipsoid(field, { x: 0.5, y: y + 0.022, rx: 0.008, ry: 0.02 }, 0.12);
}

/** The back part of a rib from the spine outwards, and the fainter front part that comes back lower. */
function addRib(field: f.Field, index: number, side: number): void {
  const start = 0.125 + index * 0.066;
  const reach = Math.min(0.36, 0.17 + 0.065 * Math.sqrt(index) + 0.012 * index);
  const drop = 0.045 + 0.016 * index;
  const back: f.Point[] = [];
  const front: f.Point[] = [];
  for (let k = 0; k <= 14; k += 1) {
    const t = k / 14;
    const x = 0.5 + side * (0.04 + (reach - 0.04) * Math.sin((t * Math.PI) / 2) ** 0.9);
    back.push({ x, y: start - 0.02 * Math.sin(t * Math.PI) + drop * t ** 2.4, radius: 0.0125 - 0.002 * t });
    const inward = 0.5 + side * (reach * (1 - 0.62 * t ** 1.35) + 0.004);
    front.push({
      x: inward,
      y: start + drop + 0.012 + (0.1 + 0.006 * index) * t ** 0.85,
      radius: 0.0105 + 0.004 * t,
    });
  }
  f.addStroke(field, back, { amount: 0.3, profile: f.tube(0.34) });
  if (index < 7) f.addStroke(field, front, { amount: 0.17, profile: f.tube(0.34) });
}

function addVessels(field: f.Field, random: Random): void {
  for (const side of [-1, 1]) {
    const hilum = { x: 0.5 + side * 0.085, y: 0.445 + (side > 0 ? -0.015 : 0.01) };
    f.addEllipsoid(field, { ...hilum, rx: 0.034, ry: 0.05 }, 0.24);
    for (let i = 0; i < 11; i += 1) {
      const angle = -1.25 + (2.7 * i) / 10 + 0.2 * (random() - 0.5);
      const x = hilum.x + side * 0.018 * Math.cos(angle);
      const y = hilum.y + 0.03 * Math.sin(angle);
      branch(field, random, { x, y, side, angle, radius: 0.0075 - 0.002 * random(), order: 0 });
    }
  }
}

interface Branch {
  readonly x: number;
  readonly y: number;
  readonly side: number;
  readonly angle: number;
  readonly radius: number;
  readonly order: number;
}

function branch(field: f.Field, random: Random, from: Branch): void {
  const length = (0.055 + 0.03 * random()) * (1 - 0.08 * from.order);
  const points: f.Point[] = [];
  let { x, y, angle } = from;
  for (let k = 0; k <= 4; k += 1) {
    points.push({ x, y, radius: from.radius * (1 - 0.07 * k) });
    angle += 0.12 * (random() - 0.5);
    x += (Math.cos(angle) * from.side * length) / 4;
    y += (Math.sin(angle) * length) / 4;
  }
  const inside = lungAir(x, y, from.side);
  if (inside < 0.2) return;
  f.addStroke(field, points, soft(Math.min(0.15, from.radius * 26) * Math.min(1, inside)));
  if (from.order >= 5 || from.radius < 0.0011) return;
  const spread = 0.28 + 0.25 * random();
  for (const turn of [-spread, spread]) {
    branch(field, random, {
      ...from,
      x,
      y,
      angle: angle + turn,
      radius: from.radius * (0.62 + 0.14 * random()),
      order: from.order + 1,
    });
  }
}

function soft(amount: number): { amount: number; profile: f.Profile } {
  return { amount, profile: f.solid };
}

function line(...points: readonly (readonly [number, number, number])[]): f.Point[] {
  return points.map(([x, y, radius]) => ({ x, y, radius }));
}
