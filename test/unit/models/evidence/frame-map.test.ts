import { describe, expect, it } from "vitest";
import type { Turn } from "../../../../core/view.ts";
import { frameMap } from "../../../../models/evidence/frame-map.ts";
import { cellGrid, cellRectangle } from "../../../../models/evidence/windows.ts";
import { inputToFrame, turnedSize, type ViewGeometry } from "../../../../models/image/mapping.ts";

const turns: Turn[] = [false, true].flatMap((flip) =>
  ([0, 90, 180, 270] as const).map((rotate) => ({ flip, rotate })),
);

describe("[GRD-13] the map lies on the stored frame whichever way the view was turned", () => {
  it.each(turns)("flip $flip, rotate $rotate", (turn) => {
    const crop = { x: 12, y: 5, width: 120, height: 80 };
    const shown = turnedSize(crop, turn);
    const content = { x: 3, y: 7, width: shown.width / 2, height: shown.height / 2 };
    const geometry: ViewGeometry = { frame: { width: 200, height: 100 }, crop, turn, content };
    const foreground = { bounds: content, area: content.width * content.height, share: () => 1 };
    const grid = cellGrid(foreground);
    const strongest = { row: 1, column: grid.columns - 3 };
    const search = {
      grid,
      foreground,
      measured: Array.from({ length: grid.rows * grid.columns }, (_, cell) => {
        const window = {
          size: "fine" as const,
          row: Math.floor(cell / grid.columns),
          column: cell % grid.columns,
          rows: 1,
          columns: 1,
        };
        return {
          window,
          drops: [window.row === strongest.row && window.column === strongest.column ? 5 : 1],
        };
      }),
    };
    const toFrame = (box: Parameters<typeof inputToFrame>[1]) => inputToFrame(geometry, box);
    const input = { width: 128, height: 128, channels: 1 as const, pixels: new Uint8Array(128 * 128) };
    const map = frameMap({ search, sentence: 0 }, { input, content, toFrame }, 4);

    expect(map).toMatchObject({ view: 4, ...crop });
    expect(map.values).toHaveLength(map.rows * map.columns);
    const peak = map.values.indexOf(5);
    const cell = toFrame(cellRectangle(grid, { ...strongest, rows: 1, columns: 1 }));
    const x = map.x + (((peak % map.columns) + 0.5) * map.width) / map.columns;
    const y = map.y + ((Math.floor(peak / map.columns) + 0.5) * map.height) / map.rows;
    expect(x).toBeGreaterThan(cell.x);
    expect(x).toBeLessThan(cell.x + cell.width);
    expect(y).toBeGreaterThan(cell.y);
    expect(y).toBeLessThan(cell.y + cell.height);
  });
});
