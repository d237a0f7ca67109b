import * as f from "./field.ts";
import { normal, seededRandom, type Random } from "./random.ts";

export const ctSize = 256;
export const ctSlices = 64;
/** mm */
export const ctPixel = 1.5;
export const ctSpacing = 3;
/** The lesion's middle in mm (x to the patient's left, y to the back, z to the head) and its radius. */
export const ctLesion = { x: -78, y: 18, z: 22, radius: 11 };

interface Tube {
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly dx: number;
  readonly dy: number;
  readonly dz: number;
  readonly radius: number;
}

interface Anatomy {
  readonly vessels: readonly Tube[];
  readonly random: Random;
}

/**
 * A chest CT without contrast, slice by slice, in Hounsfield units: trunk with fat, lungs with vessels, heart,
 * aorta, spine, ribs, liver, and one solid lesion in the right lung.
 */
export function* drawThoraxCt(seed: number): Generator<Int16Array, void, void> {
  const random = seededRandom(seed);
  const anatomy: Anatomy = { vessels: growVessels(random), random };
  for (let slice = 0; slice < ctSlices; slice += 1) yield drawSlice(sliceHeight(slice), anatomy);
}

/** mm towards the head; the first slice is the lowest. */
export function sliceHeight(slice: number): number {
  return (slice - (ctSlices - 1) / 2) * ctSpacing;
}

function drawSlice(z: number, anatomy: Anatomy): Int16Array {
  const shape = { width: ctSize, height: ctSize };
  const field = f.emptyField(ctSize, ctSize);
  const near = anatomy.vessels.filter(
    (tube) => Math.min(tube.z, tube.z + tube.dz) - 6 < z && Math.max(tube.z, tube.z + tube.dz) + 6 > z,
  );
  const texture = f.cloud(anatomy.random, shape, 7);
  for (let row = 0; row < ctSize; row += 1) {
    const y = (row - (ctSize - 1) / 2) * ctPixel;
    for (let column = 0; column < ctSize; column += 1) {
      const x = (column - (ctSize - 1) / 2) * ctPixel;
      field.data[row * ctSize + column] = tissueAt(x, y, z) + 6 * texture.data[row * ctSize + column]!;
    }
  }
  for (const tube of near) paintTube(field, tube, z);
  const noise = f.blur(
    f.map(f.emptyField(ctSize, ctSize), () => normal(anatomy.random)),
    0.7,
  );
  const focused = f.blur(field, 0.55);
  return Int16Array.from(focused.data, (value, i) =>
    Math.max(-1024, Math.round(value + 26 * noise.data[i]!)),
  );
}

const air = -1000;
const lung = -860;
const fat = -105;
const muscle = 52;

/** Hounsfield units at a place in mm. Later bodies cover earlier ones. */
function tissueAt(x: number, y: number, z: number): number {
  const trunk = span(x / 172, y / 118);
  if (trunk > 1) return table(x, y);
  if (trunk > 0.993) return 20;
  const wall = span(x / 158, (y + 2) / 103);
  if (wall > 1) return fat;
  const bone = boneAt(x, y, z);
  if (bone !== null) return bone;
  const middle = mediastinumAt(x, y, z);
  if (middle !== null) return middle;
  return insideChest(x, y, z, wall);
}

function insideChest(x: number, y: number, z: number, wall: number): number {
  if (wall > 0.93) return wall > 0.955 && wall < 0.975 ? fat + 40 : muscle;
  const dome = domeAt(x, y);
  if (z > dome) {
    if (insideLesion(x, y, z)) return 38;
    return lung + 0.35 * (y + 60);
  }
  // Below the domes: liver on the patient's right, stomach with air and spleen on the left.
  const stomach = span((x - 62) / 42, (y + 35) / 38, (z + 95) / 45);
  if (stomach < 1) return y < -45 ? air + 20 : 18;
  if (stomach < 1.1) return 45;
  const spleen = span((x - 98) / 34, (y - 38) / 40, (z + 88) / 34);
  if (spleen < 1) return 50;
  return x < 40 ? 60 : fat;
}

function span(a: number, b: number, c = 0): number {
  return Math.sqrt(a * a + b * b + c * c);
}

/** A ball with a lobed surface. */
function insideLesion(x: number, y: number, z: number): boolean {
  const distance = span(x - ctLesion.x, y - ctLesion.y, (z - ctLesion.z) * 1.1);
  if (distance > ctLesion.radius * 1.25) return false;
  const angle = Math.atan2(y - ctLesion.y, x - ctLesion.x);
  return distance < ctLesion.radius * (1 + 0.12 * Math.sin(5 * angle) + 0.1 * Math.sin(z));
}

function domeAt(x: number, y: number): number {
  const right = -32 - ((x + 72) / 62) ** 2 * 30 - ((y + 8) / 80) ** 2 * 34;
  const left = -44 - ((x - 74) / 58) ** 2 * 30 - ((y + 8) / 80) ** 2 * 34;
  return x < 4 ? right : left;
}

function mediastinumAt(x: number, y: number, z: number): number | null {
  const upper = f.step(-10, 40, z);
  const heart = span((x - 22) / 62, (y + 30) / 52, (z + 22) / 56);
  if (heart < 0.94) return 44;
  if (heart < 1) return -70;
  const aorta = span(x - 20, y - 42);
  if (aorta < 12) return 46;
  const arch = span((x - 12) / 16, (y - 8) / 42, (z - 52) / 13);
  if (arch < 1) return 46;
  const windpipe = span(x + 2, y - 8);
  if (z > 30 && windpipe < 9) return air;
  if (z > 30 && windpipe < 11) return 20;
  for (const side of [-1, 1]) {
    const bronchus = span(x - side * (32 - z) * 0.9 + 2, y - 12);
    if (z <= 30 && z > 2 && bronchus < 6) return air + 20;
    if (z <= 30 && z > 2 && bronchus < 8) return 10;
  }
  const cava = span(x + 26, y + 14);
  if (z > 5 && cava < 10) return 42;
  const band = span(x / (44 - 10 * upper), (y + 6) / 66);
  if (band < 1) return band > 0.6 || y < -40 ? fat + 15 : 32;
  return null;
}

function boneAt(x: number, y: number, z: number): number | null {
  const level = ((((z + 200) % 26) + 26) % 26) / 26;
  const body = span(x / 19, (y - 68) / 16);
  if (body < 1) {
    if (level < 0.16) return 75;
    return body > 0.88 || level < 0.22 || level > 0.94 ? 420 : 190;
  }
  const canal = span(x / 9.5, (y - 88) / 8);
  if (canal < 1) return 32;
  if (canal < 1.4) return 380;
  const spinous = Math.abs(x) < 3.5 && y > 96 && y < 112 && level > 0.3;
  if (spinous) return 360;
  const across =
    Math.abs(Math.abs(x) - 30) < 14 &&
    Math.abs(y - 88 - (Math.abs(x) - 20) * 0.1) < 4.5 &&
    level > 0.35 &&
    level < 0.75;
  if (across) return 340;
  const breastbone = span(x / 16, (y + 96) / 6);
  if (breastbone < 1) return breastbone > 0.75 ? 330 : 130;
  return ribAt(x, y, z);
}

/** Ribs are slanted rings in the chest wall: lower in front than behind. */
function ribAt(x: number, y: number, z: number): number | null {
  const wall = span(x / 158, (y + 2) / 103);
  if (wall < 0.925 || wall > 1 || (y < -70 && Math.abs(x) < 70)) return null;
  const slant = z - 0.42 * (y + 2);
  const phase = ((((slant + 300) % 26) + 26) % 26) / 26;
  const high = Math.abs(phase - 0.5);
  if (high > 0.21) return null;
  const edge = Math.max(high / 0.21, Math.abs(wall - 0.9625) / 0.0375);
  return edge > 0.62 ? 460 : 210;
}

function table(x: number, y: number): number {
  const arc = y - 127 - (x / 190) ** 2 * -14;
  return Math.abs(x) < 185 && arc > 0 && arc < 5 ? -650 : air;
}

function growVessels(random: Random): Tube[] {
  const vessels: Tube[] = [];
  for (const side of [-1, 1]) {
    for (let i = 0; i < 16; i += 1) {
      const angle = (i / 16) * 2 * Math.PI;
      grow(vessels, random, {
        x: side * 36,
        y: 4,
        z: 6,
        dx: side * (26 + 8 * random()),
        dy: 26 * Math.cos(angle),
        dz: 24 * Math.sin(angle) + 6,
        radius: 4.6,
      });
    }
  }
  return vessels;
}

function grow(vessels: Tube[], random: Random, tube: Tube): void {
  const inside = span((tube.x + tube.dx) / 142, (tube.y + tube.dy + 2) / 92);
  if (inside > 1 || tube.radius < 0.75) return;
  vessels.push(tube);
  for (let i = 0; i < 2; i += 1) {
    const bend = () => 0.82 + 0.2 * random();
    const turn = () => 16 * (random() - 0.5) * 1.6;
    grow(vessels, random, {
      x: tube.x + tube.dx,
      y: tube.y + tube.dy,
      z: tube.z + tube.dz,
      dx: tube.dx * bend() * 0.85 + turn(),
      dy: tube.dy * bend() * 0.85 + turn(),
      dz: tube.dz * bend() * 0.85 + turn(),
      radius: tube.radius * (0.68 + 0.1 * random()),
    });
  }
}

/** Where the slice cuts a vessel, only inside the lungs. */
function paintTube(field: f.Field, tube: Tube, z: number): void {
  const samples = 26;
  for (let k = 0; k <= samples; k += 1) {
    const t = k / samples;
    const off = Math.abs(z - tube.z - tube.dz * t);
    if (off > tube.radius) continue;
    const radius = Math.sqrt(tube.radius ** 2 - off ** 2);
    const column = (tube.x + tube.dx * t) / ctPixel + (ctSize - 1) / 2;
    const row = (tube.y + tube.dy * t) / ctPixel + (ctSize - 1) / 2;
    paintDisc(field, { column, row, radius: radius / ctPixel });
  }
}

function paintDisc(field: f.Field, disc: { column: number; row: number; radius: number }): void {
  const reach = Math.ceil(disc.radius + 1);
  for (let row = Math.floor(disc.row) - reach; row <= disc.row + reach; row += 1) {
    for (let column = Math.floor(disc.column) - reach; column <= disc.column + reach; column += 1) {
      if (row < 0 || column < 0 || row >= ctSize || column >= ctSize) continue;
      const at = row * ctSize + column;
      const covered = Math.min(
        1,
        Math.max(0, disc.radius + 0.5 - span(row - disc.row, column - disc.column)),
      );
      field.data[at] = Math.max(field.data[at]!, lung + (40 - lung) * covered);
    }
  }
}
