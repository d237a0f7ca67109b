import type { FramePosition } from "./frame.ts";

/** The place of an instance among those that one acquisition was cut into (PS3.3 C.7.6.16.2.2.4). */
export interface ConcatenationPart {
  /** Concatenation UID. */
  readonly uid: string;
  /** In-concatenation Number, from 1. */
  readonly number: number;
}

export interface SliceKey {
  readonly placement: Pick<FramePosition, "orientation" | "position">;
  readonly instanceNumber: number | null;
  /** Decides between slices that are otherwise equal, so that the order never depends on the import. */
  readonly sopInstanceUid: string;
  readonly concatenation?: ConcatenationPart | null;
}

/**
 * Display order of a series: by position along the slice normal where every slice has the same orientation and no
 * two share a place, else by instance number. The parts of a concatenation are one image that was cut into files:
 * they stay together, in the order of their In-concatenation Numbers, at the place of the first of them (their
 * positions are those of their first frames alone, and they share an instance number). Indices into `slices`.
 */
export function sliceOrder(slices: readonly SliceKey[]): number[] {
  const wholes = wholesOf(slices);
  return displayOrder(wholes.map(([first]) => slices[first!]!)).flatMap((index) => wholes[index]!);
}

/** Indices of each slice by itself, and of the parts of each concatenation in their order. */
function wholesOf(slices: readonly SliceKey[]): number[][] {
  const wholes = new Map<string | number, number[]>();
  slices.forEach(({ concatenation }, index) => {
    const key = concatenation ? concatenation.uid : index;
    const parts = wholes.get(key);
    if (parts) parts.push(index);
    else wholes.set(key, [index]);
  });
  const number = (index: number) => slices[index]!.concatenation?.number ?? 0;
  return [...wholes.values()].map((parts) =>
    parts.toSorted((a, b) => compareNumbers(number(a), number(b)) || compareUids(slices[a]!, slices[b]!)),
  );
}

function displayOrder(slices: readonly SliceKey[]): number[] {
  const order = slices.map((_, index) => index);
  const depths = sliceDepths(slices);
  const key = depths ?? slices.map((slice) => slice.instanceNumber ?? Infinity);
  return order.toSorted((a, b) => {
    const byKey = compareNumbers(key[a]!, key[b]!);
    if (byKey !== 0) return byKey;
    return compareUids(slices[a]!, slices[b]!);
  });
}

function compareUids(a: SliceKey, b: SliceKey): number {
  return a.sopInstanceUid < b.sopInstanceUid ? -1 : 1;
}

/**
 * Millimetres along the normal of the first slice, or null where there is no common normal (localisers) or slices
 * share a place (time series, diffusion): there the instance number is the only honest order.
 */
export function sliceDepths(slices: readonly Pick<SliceKey, "placement">[]): number[] | null {
  const first = slices[0]?.placement.orientation;
  if (!first || slices.length < 2) return null;
  const normal = cross([first[0], first[1], first[2]], [first[3], first[4], first[5]]);
  const depths: number[] = [];
  for (const { placement } of slices) {
    const { orientation, position } = placement;
    if (!orientation || !position) return null;
    for (let i = 0; i < 6; i += 1) if (Math.abs(orientation[i]! - first[i]!) > 0.01) return null;
    depths.push(position[0] * normal[0] + position[1] * normal[1] + position[2] * normal[2]);
  }
  const sorted = depths.toSorted((a, b) => a - b);
  for (let i = 1; i < sorted.length; i += 1) if (sorted[i]! - sorted[i - 1]! < 0.01) return null;
  return depths;
}

function cross(
  a: readonly [number, number, number],
  b: readonly [number, number, number],
): [number, number, number] {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function compareNumbers(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
