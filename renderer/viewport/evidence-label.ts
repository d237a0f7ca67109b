import { applyMatrix, type Matrix, type Point, type Size } from "./geometry.ts";

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Where the words of a drawing stand, CSS px of the stage; `below` says that the text grows downwards from there. */
export interface LabelPlace extends Point {
  readonly below: boolean;
}

/** A line of text with its padding; the corner and edge texts keep this away from the top. */
const lineHeight = 24;
const topKept = 32;
/** Half of the longest of the words, so that none is cut at the sides. */
const halfText = 100;

/**
 * The words stand above the first box and never on it: below it where there is no room above, at the top of the stage
 * where there is no box.
 */
export function labelPlace(boxes: readonly Box[], matrix: Matrix, stage: Size): LabelPlace {
  const [first] = boxes;
  if (!first) return { x: stage.width / 2, y: topKept, below: true };
  const one = applyMatrix(matrix, first);
  const other = applyMatrix(matrix, { x: first.x + first.width, y: first.y + first.height });
  const top = Math.min(one.y, other.y);
  const bottom = Math.max(one.y, other.y);
  const x = Math.max(halfText, Math.min(stage.width - halfText, (one.x + other.x) / 2));
  if (top >= lineHeight + 4) return { x, y: Math.min(top - 4, stage.height - 4), below: false };
  return { x, y: Math.max(4, Math.min(bottom + 4, stage.height - lineHeight - 4)), below: true };
}
