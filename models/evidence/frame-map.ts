import type { EvidenceMap } from "../../core/evidence.ts";
import { type EvidenceSearch, mapValues } from "./map.ts";
import type { GroundingView } from "./model-access.ts";
import { cellRectangle } from "./windows.ts";

/**
 * The evidence map of one sentence in pixels of the stored frame. The model may have seen the view turned or
 * flipped: the rows and columns of the map are turned back with it.
 */
export function frameMap(
  { search, sentence }: { search: EvidenceSearch; sentence: number },
  view: GroundingView,
  viewIndex: number,
): EvidenceMap {
  const { grid } = search;
  const values = mapValues(search, sentence);
  const centre = (row: number, column: number) => {
    const { x, y, width, height } = view.toFrame(cellRectangle(grid, { row, column, rows: 1, columns: 1 }));
    return { x: x + width / 2, y: y + height / 2 };
  };
  const first = centre(0, 0);
  const right = centre(0, grid.columns - 1);
  const below = centre(grid.rows - 1, 0);
  const sideways = Math.abs(right.y - first.y) > Math.abs(right.x - first.x);
  const mirroredX = (sideways ? below.x : right.x) < first.x;
  const mirroredY = (sideways ? right.y : below.y) < first.y;

  const rows = sideways ? grid.columns : grid.rows;
  const columns = sideways ? grid.rows : grid.columns;
  const turned: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const y = mirroredY ? rows - 1 - row : row;
      const x = mirroredX ? columns - 1 - column : column;
      turned.push(sideways ? values[x * grid.columns + y]! : values[y * grid.columns + x]!);
    }
  }
  return { view: viewIndex, ...view.toFrame(grid.bounds), rows, columns, values: turned };
}
