import { cellsIn, type CellGrid, type CellWindow } from "./windows.ts";

/** One evaluated window and the drop in L that replacing it caused. */
export interface MeasuredWindow {
  readonly window: CellWindow;
  readonly nats: number;
}

/**
 * What each cell holds, explained from windows that overlap: the drop of a window is taken as the sum over its
 * cells, no cell holds less than nothing, and a small ridge spreads what the windows cannot tell apart. Coordinate
 * descent; a few hundred unknowns, a few dozen windows.
 */
export function cellValues(grid: CellGrid, measured: readonly MeasuredWindow[]): number[] {
  const values = new Float64Array(grid.rows * grid.columns);
  const covered = measured.map(({ window }) => cellsIn(grid, window));
  const windowsOfCell: number[][] = Array.from(values, () => []);
  for (const [index, cells] of covered.entries()) for (const cell of cells) windowsOfCell[cell]!.push(index);

  const residual = measured.map(({ nats }) => nats);
  for (let pass = 0; pass < 200; pass++) {
    let change = 0;
    for (let cell = 0; cell < values.length; cell++) {
      const windows = windowsOfCell[cell]!;
      if (windows.length === 0) continue;
      let pull = -ridge * values[cell]!;
      for (const window of windows) pull += residual[window]!;
      const next = Math.max(0, values[cell]! + pull / (windows.length + ridge));
      const step = next - values[cell]!;
      if (step === 0) continue;
      values[cell] = next;
      for (const window of windows) residual[window]! -= step;
      change = Math.max(change, Math.abs(step));
    }
    if (change < 1e-7) break;
  }
  return [...values];
}

const ridge = 0.05;
