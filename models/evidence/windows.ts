import type { Rectangle } from "../../core/view.ts";
import type { Foreground } from "./foreground.ts";

/**
 * Where the evidence map looks (docs/grounding.md, GRD-11). The bounds of the foreground are cut into a grid of
 * fine cells; a window is a square of whole cells, so that every window says something about known cells.
 */
export interface CellGrid {
  readonly bounds: Rectangle;
  readonly rows: number;
  readonly columns: number;
  /** Share of each cell that is foreground, row-major. */
  readonly foreground: readonly number[];
}

export type WindowSize = "coarse" | "medium" | "fine";

/** In cells. */
export interface CellWindow {
  readonly size: WindowSize;
  readonly row: number;
  readonly column: number;
  readonly rows: number;
  readonly columns: number;
}

/** Fine cells along the longer side of the foreground. */
export const cellsAcross = 12;
/** Cells along the side of a window. */
export const windowCells = { coarse: 4, medium: 2, fine: 1 } as const;
/** A window with less foreground than this is not evaluated: what is removed there is background. */
const leastForeground = 0.15;

export function cellGrid(foreground: Foreground): CellGrid {
  const { bounds } = foreground;
  const longSide = Math.max(bounds.width, bounds.height);
  // Cells stay near square; the short side has at least one coarse window.
  const along = (side: number) => {
    const even = 2 * Math.round((cellsAcross * side) / longSide / 2);
    return Math.max(windowCells.coarse, Math.min(cellsAcross, even));
  };
  const rows = along(bounds.height);
  const columns = along(bounds.width);
  const grid = { bounds, rows, columns, foreground: [] };
  const shares: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      shares.push(foreground.share(cellRectangle(grid, { row, column, rows: 1, columns: 1 })));
    }
  }
  return { ...grid, foreground: shares };
}

/** Model input pixels, whole numbers, so that neighbours neither overlap nor leave a gap. */
export function cellRectangle(
  { bounds, rows, columns }: Omit<CellGrid, "foreground">,
  cells: Pick<CellWindow, "row" | "column" | "rows" | "columns">,
): Rectangle {
  const left = bounds.x + Math.round((cells.column * bounds.width) / columns);
  const top = bounds.y + Math.round((cells.row * bounds.height) / rows);
  const right = bounds.x + Math.round(((cells.column + cells.columns) * bounds.width) / columns);
  const bottom = bounds.y + Math.round(((cells.row + cells.rows) * bounds.height) / rows);
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** All windows of a size that lie on the foreground. */
export function windowsOf(grid: CellGrid, size: WindowSize): CellWindow[] {
  const side = windowCells[size];
  const places = size === "coarse" ? coarsePlaces(grid) : everyPlace(grid, side);
  return places
    .map(({ row, column }) => ({ size, row, column, rows: side, columns: side }))
    .filter((window) => {
      const shares = cellsIn(grid, window).map((cell) => grid.foreground[cell]!);
      return shares.reduce((sum, share) => sum + share, 0) / shares.length >= leastForeground;
    });
}

interface Place {
  readonly row: number;
  readonly column: number;
}

/** A layer of windows side by side, and a second layer over the corners where four of the first meet. */
function coarsePlaces({ rows, columns }: Pick<CellGrid, "rows" | "columns">): Place[] {
  const side = windowCells.coarse;
  const along = (length: number) => {
    const count = Math.ceil(length / side);
    return Array.from({ length: count }, (_, index) =>
      count === 1 ? 0 : Math.round((index * (length - side)) / (count - 1)),
    );
  };
  const between = (places: readonly number[]) =>
    places.slice(1).map((place, index) => Math.round((place + places[index]!) / 2));
  const [down, across] = [along(rows), along(columns)];
  // A single row of windows is overlapped along itself.
  const [downBetween, acrossBetween] = [between(down), between(across)];
  return [
    ...pairsOf(down, across),
    ...pairsOf(down.length === 1 ? down : downBetween, across.length === 1 ? across : acrossBetween),
  ].filter(
    (place, index, all) =>
      all.findIndex((other) => other.row === place.row && other.column === place.column) === index,
  );
}

function everyPlace({ rows, columns }: Pick<CellGrid, "rows" | "columns">, side: number): Place[] {
  const count = (length: number) => Array.from({ length: length - side + 1 }, (_, index) => index);
  return pairsOf(count(rows), count(columns));
}

function pairsOf(down: readonly number[], across: readonly number[]): Place[] {
  return down.flatMap((row) => across.map((column) => ({ row, column })));
}

/** Indices of the cells of a window, row-major. */
export function cellsIn(grid: Pick<CellGrid, "columns">, window: Omit<CellWindow, "size">): number[] {
  const cells: number[] = [];
  for (let row = window.row; row < window.row + window.rows; row++) {
    for (let column = window.column; column < window.column + window.columns; column++) {
      cells.push(row * grid.columns + column);
    }
  }
  return cells;
}

/** Chebyshev distance between windows in cells; 0 where they overlap. */
export function distance(a: CellWindow, b: CellWindow): number {
  const gap = (from: number, length: number, other: number, otherLength: number) =>
    Math.max(0, other - (from + length) + 1, from - (other + otherLength) + 1);
  return Math.max(gap(a.row, a.rows, b.row, b.rows), gap(a.column, a.columns, b.column, b.columns));
}

/** `count` of the windows, spread as far from `taken` and from each other as they allow. Deterministic. */
export function spreadWindows(
  windows: readonly CellWindow[],
  taken: readonly CellWindow[],
  count: number,
): CellWindow[] {
  const chosen: CellWindow[] = [];
  const nearest = windows.map((window) => Math.min(1e6, ...taken.map((other) => distance(window, other))));
  for (let n = 0; n < count; n++) {
    let best = -1;
    for (let i = 0; i < windows.length; i++) {
      if (nearest[i]! > 0 && (best < 0 || nearest[i]! > nearest[best]!)) best = i;
    }
    if (best < 0) break;
    const next = windows[best]!;
    chosen.push(next);
    for (let i = 0; i < windows.length; i++) nearest[i] = Math.min(nearest[i]!, distance(windows[i]!, next));
  }
  return chosen;
}
