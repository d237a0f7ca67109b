import { normal, type Random } from "./random.ts";

/** A picture of attenuation or echo strength; row-major. Shapes are given in fractions of the width. */
export interface Field {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

export interface Point {
  readonly x: number;
  readonly y: number;
  /** Half the thickness of a stroke here. */
  readonly radius: number;
}

export interface Ellipse {
  readonly x: number;
  readonly y: number;
  readonly rx: number;
  readonly ry: number;
  /** Clockwise, in radians. */
  readonly turn?: number;
}

export function emptyField(width: number, height: number): Field {
  return { width, height, data: new Float32Array(width * height) };
}

/** Sets every pixel from its place, in fractions of the width. */
export function fill(field: Field, value: (x: number, y: number) => number): Field {
  const { width, height, data } = field;
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      data[row * width + column] = value((column + 0.5) / width, (row + 0.5) / width);
    }
  }
  return field;
}

export function map(field: Field, value: (old: number, index: number) => number): Field {
  for (let i = 0; i < field.data.length; i += 1) field.data[i] = value(field.data[i]!, i);
  return field;
}

/** Distance from an ellipse's middle: 1 on its edge. */
export function ellipseDistance(ellipse: Ellipse, x: number, y: number): number {
  const { turn } = ellipse;
  const dx = x - ellipse.x;
  const dy = y - ellipse.y;
  if (turn === undefined) return length2(dx / ellipse.rx, dy / ellipse.ry);
  const along = dx * Math.cos(turn) + dy * Math.sin(turn);
  const across = -dx * Math.sin(turn) + dy * Math.cos(turn);
  return length2(along / ellipse.rx, across / ellipse.ry);
}

/** Adds the shadow of a solid ellipsoid: thickest in the middle, `amount` there. */
export function addEllipsoid(field: Field, ellipse: Ellipse, amount: number): void {
  const reach = Math.max(ellipse.rx, ellipse.ry);
  within(
    field,
    { left: ellipse.x - reach, right: ellipse.x + reach, top: ellipse.y - reach, bottom: ellipse.y + reach },
    (x, y, i) => {
      const distance = ellipseDistance(ellipse, x, y);
      if (distance < 1) field.data[i] = field.data[i]! + amount * Math.sqrt(1 - distance * distance);
    },
  );
}

/** Profile of a stroke: distance from its middle line in radii (0..1), to a part of `amount`. */
export type Profile = (distance: number) => number;

export const solid: Profile = (distance) => Math.sqrt(Math.max(0, 1 - distance * distance));

/** A tube with a dense wall, as a long bone is: brighter at its edges. */
export function tube(wall: number): Profile {
  const inner = 1 - wall;
  return (distance) => {
    const hollow = distance < inner ? Math.sqrt(inner * inner - distance * distance) : 0;
    return solid(distance) - 0.72 * hollow;
  };
}

/** Adds a line of changing thickness; where its segments overlap it is not counted twice. */
export function addStroke(
  field: Field,
  points: readonly Point[],
  ink: { amount: number; profile: Profile },
): void {
  const box = boxOf(points);
  const left = Math.floor(box.left * field.width);
  const columns = Math.ceil(box.right * field.width) - left + 1;
  const top = Math.floor(box.top * field.width);
  const rows = Math.ceil(box.bottom * field.width) - top + 1;
  const nearest = new Float32Array(columns * rows).fill(2);
  // Each segment visits its own surroundings only: the box of a whole rib is mostly empty.
  for (let k = 0; k + 1 < points.length; k += 1) {
    const segment = [points[k]!, points[k + 1]!];
    within(field, boxOf(segment), (x, y, i) => {
      const row = Math.floor(i / field.width) - top;
      const at = row * columns + (i % field.width) - left;
      const distance = strokeDistance(segment, x, y);
      if (distance < nearest[at]!) nearest[at] = distance;
    });
  }
  within(field, box, (_x, _y, i) => {
    const row = Math.floor(i / field.width) - top;
    const distance = nearest[row * columns + (i % field.width) - left]!;
    if (distance < 1) field.data[i] = field.data[i]! + ink.amount * ink.profile(distance);
  });
}

/** Distance from the middle line in radii; the smallest over all segments. */
export function strokeDistance(points: readonly Point[], x: number, y: number): number {
  let nearest = Infinity;
  for (let k = 0; k + 1 < points.length; k += 1) {
    const from = points[k]!;
    const to = points[k + 1]!;
    const dx = to.x - from.x;
    const dy = to.y - from.y;
    const length = dx * dx + dy * dy;
    const t = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - from.x) * dx + (y - from.y) * dy) / length));
    const radius = from.radius + (to.radius - from.radius) * t;
    const distance = length2(x - from.x - t * dx, y - from.y - t * dy) / radius;
    if (distance < nearest) nearest = distance;
  }
  return nearest;
}

/** Math.hypot guards against overflow and takes ten times as long. */
export function length2(a: number, b: number): number {
  return Math.sqrt(a * a + b * b);
}

/** Gaussian blur; `sigma` in pixels, along each axis. */
export function blur(field: Field, sigmaX: number, sigmaY = sigmaX): Field {
  const rows = blurLines(field, sigmaX, {
    count: field.height,
    length: field.width,
    step: 1,
    next: field.width,
  });
  return blurLines(rows, sigmaY, { count: field.width, length: field.height, step: field.width, next: 1 });
}

/** Smooth noise with features of about `size` pixels, deviation about 1. */
export function cloud(random: Random, shape: { width: number; height: number }, size: number): Field {
  const columns = Math.ceil(shape.width / size) + 2;
  const rows = Math.ceil(shape.height / size) + 2;
  const grid = Float32Array.from({ length: columns * rows }, () => normal(random));
  const field = emptyField(shape.width, shape.height);
  for (let row = 0; row < shape.height; row += 1) {
    const gy = row / size;
    const y = Math.floor(gy);
    const fy = ease(gy - y);
    for (let column = 0; column < shape.width; column += 1) {
      const gx = column / size;
      const x = Math.floor(gx);
      const fx = ease(gx - x);
      const at = y * columns + x;
      const top = grid[at]! * (1 - fx) + grid[at + 1]! * fx;
      const bottom = grid[at + columns]! * (1 - fx) + grid[at + columns + 1]! * fx;
      field.data[row * shape.width + column] = 1.6 * (top * (1 - fy) + bottom * fy);
    }
  }
  return field;
}

/** 0 below `from`, 1 above `to`, smooth between. */
export function step(from: number, to: number, value: number): number {
  return ease(Math.min(1, Math.max(0, (value - from) / (to - from))));
}

function ease(t: number): number {
  return t * t * (3 - 2 * t);
}

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

function boxOf(points: readonly Point[]): Box {
  const reach = Math.max(...points.map((point) => point.radius));
  return {
    left: Math.min(...points.map((point) => point.x)) - reach,
    right: Math.max(...points.map((point) => point.x)) + reach,
    top: Math.min(...points.map((point) => point.y)) - reach,
    bottom: Math.max(...points.map((point) => point.y)) + reach,
  };
}

function within(field: Field, box: Box, visit: (x: number, y: number, index: number) => void): void {
  const { width, height } = field;
  const clamp = (value: number, most: number) => Math.min(most, Math.max(0, value));
  const firstRow = clamp(Math.floor(box.top * width), height);
  const lastRow = clamp(Math.ceil(box.bottom * width), height);
  const firstColumn = clamp(Math.floor(box.left * width), width);
  const lastColumn = clamp(Math.ceil(box.right * width), width);
  for (let row = firstRow; row < lastRow; row += 1) {
    for (let column = firstColumn; column < lastColumn; column += 1) {
      visit((column + 0.5) / width, (row + 0.5) / width, row * width + column);
    }
  }
}

interface Lines {
  readonly count: number;
  readonly length: number;
  readonly step: number;
  readonly next: number;
}

function blurLines(field: Field, sigma: number, lines: Lines): Field {
  if (sigma <= 0) return field;
  const reach = Math.ceil(sigma * 2.5);
  const weights = Float32Array.from({ length: reach + 1 }, (_, i) =>
    Math.exp((-i * i) / (2 * sigma * sigma)),
  );
  const total = weights.reduce((sum, weight, i) => sum + (i === 0 ? weight : 2 * weight), 0);
  const out = emptyField(field.width, field.height);
  // One line at a time, with its ends repeated, so that the inner loop has no edges.
  const padded = new Float32Array(lines.length + 2 * reach);
  for (let line = 0; line < lines.count; line += 1) {
    const base = line * lines.next;
    for (let at = 0; at < lines.length; at += 1) padded[reach + at] = field.data[base + at * lines.step]!;
    padded.fill(padded[reach]!, 0, reach);
    padded.fill(padded[reach + lines.length - 1]!, reach + lines.length);
    for (let at = 0; at < lines.length; at += 1) {
      let sum = padded[reach + at]! * weights[0]!;
      for (let i = 1; i <= reach; i += 1) {
        sum += weights[i]! * (padded[reach + at - i]! + padded[reach + at + i]!);
      }
      out.data[base + at * lines.step] = sum / total;
    }
  }
  return out;
}
