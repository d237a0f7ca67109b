import type { Rectangle } from "../../core/view.ts";
import type { Foreground } from "./foreground.ts";
import { type CellGrid, cellRectangle, type CellWindow } from "./windows.ts";

/**
 * The connected cells that hold the evidence (docs/grounding.md, GRD-13). What is drawn, what is tested and what is
 * counted as area are the same boxes.
 */
export interface SelectedRegion {
  /** One box a connected part, strongest first; model input pixels. */
  readonly boxes: readonly Rectangle[];
  /** Share of the foreground that the boxes cover, 0..1. */
  readonly share: number;
}

/** A cell belongs to the region if it holds this share of what the strongest cell holds; wider tries follow. */
const cellShares = [0.4, 0.25, 0.15] as const;
/** A further part counts if it holds this share of what the strongest part holds. */
const partShare = 0.35;
/** A region holds the evidence if without it this share of the largest drop is lost. */
export const heldShare = 0.5;

/**
 * Regions that may hold the evidence, the narrowest first: connected cells, more connected cells, the window without
 * which most was lost. The caller takes the first that does hold it.
 */
export function candidateRegions(
  { grid, foreground }: { grid: CellGrid; foreground: Foreground },
  values: readonly number[],
  best: CellWindow,
): SelectedRegion[] {
  const peak = Math.max(...values);
  const narrow = peak > 0 ? cellShares.map((share) => connectedRegion(grid, values, share * peak)) : [];
  const candidates = [...narrow, [cellRectangle(grid, best)]];
  const different = candidates.filter(
    (boxes, index) => candidates.findIndex((other) => sameBoxes(boxes, other)) === index,
  );
  return different.map((boxes) => {
    const covered = boxes.reduce((sum, box) => sum + box.width * box.height * foreground.share(box), 0);
    return { boxes, share: Math.min(1, covered / Math.max(1, foreground.area)) };
  });
}

function connectedRegion(grid: CellGrid, values: readonly number[], least: number): Rectangle[] {
  const parts = connectedParts(grid, (cell) => values[cell]! >= least)
    .map((cells) => ({ cells, held: cells.reduce((sum, cell) => sum + values[cell]!, 0) }))
    .toSorted((a, b) => b.held - a.held);
  return parts
    .filter(({ held }) => held >= partShare * parts[0]!.held)
    .map(({ cells }) => boundsOf(grid, cells));
}

function sameBoxes(a: readonly Rectangle[], b: readonly Rectangle[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Cells that touch by a side. */
function connectedParts(grid: CellGrid, holds: (cell: number) => boolean): number[][] {
  const seen = new Set<number>();
  const parts: number[][] = [];
  for (let start = 0; start < grid.rows * grid.columns; start++) {
    if (seen.has(start) || !holds(start)) continue;
    const part: number[] = [];
    const open = [start];
    seen.add(start);
    while (open.length > 0) {
      const cell = open.pop()!;
      part.push(cell);
      for (const next of neighbours(grid, cell)) {
        if (seen.has(next) || !holds(next)) continue;
        seen.add(next);
        open.push(next);
      }
    }
    parts.push(part);
  }
  return parts;
}

function neighbours({ rows, columns }: CellGrid, cell: number): number[] {
  const row = Math.floor(cell / columns);
  const column = cell % columns;
  const next: number[] = [];
  if (row > 0) next.push(cell - columns);
  if (row < rows - 1) next.push(cell + columns);
  if (column > 0) next.push(cell - 1);
  if (column < columns - 1) next.push(cell + 1);
  return next;
}

function boundsOf(grid: CellGrid, cells: readonly number[]): Rectangle {
  const rows = cells.map((cell) => Math.floor(cell / grid.columns));
  const columns = cells.map((cell) => cell % grid.columns);
  const row = Math.min(...rows);
  const column = Math.min(...columns);
  return cellRectangle(grid, {
    row,
    column,
    rows: Math.max(...rows) - row + 1,
    columns: Math.max(...columns) - column + 1,
  });
}
