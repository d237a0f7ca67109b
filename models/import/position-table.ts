import { appError } from "../../core/errors.ts";
import type { VisionConfig, VisionDesign } from "./encoders/vision-design.ts";
import { rowCount, rowLength, type TensorSource } from "./tensor-source.ts";

/**
 * Positions of all tokens, [tokens, hidden], from a checkpoint that may have been trained on another image size: the
 * grid is then resized as PyTorch's `interpolate(mode="bicubic", align_corners=False)` does.
 */
export async function positionTable(
  tensors: TensorSource,
  { positions, classToken }: VisionDesign,
  { imageSize, patchSize, hidden }: VisionConfig,
): Promise<{ table: Float32Array; tokens: number }> {
  const info = tensors.tensors.get(positions);
  if (info === undefined)
    throw appError("model-file-damaged", `The model file lacks the tensor ${positions}.`);
  const extra = classToken === null ? 0 : 1;
  const stored = rowCount(info) - extra;
  const side = Math.sqrt(stored);
  if (rowLength(info) !== hidden || stored < 1 || !Number.isInteger(side) || stored > 1_000_000) {
    throw appError(
      "model-file-damaged",
      `The tensor ${positions} has another shape than its settings ask for.`,
    );
  }
  const values = await tensors.readRows(positions, { first: 0, count: stored + extra });
  const wanted = imageSize / patchSize;
  const tokens = wanted * wanted + extra;
  if (wanted === side) return { table: values, tokens };
  const table = new Float32Array(tokens * hidden);
  table.set(values.subarray(0, extra * hidden));
  table.set(resizedGrid(values.subarray(extra * hidden), { from: side, to: wanted, hidden }), extra * hidden);
  return { table, tokens };
}

interface GridSize {
  readonly from: number;
  readonly to: number;
  readonly hidden: number;
}

function resizedGrid(grid: Float32Array, { from, to, hidden }: GridSize): Float32Array {
  const taps = Array.from({ length: to }, (_, index) => bicubicTaps(index, from, to));
  const out = new Float32Array(to * to * hidden);
  for (let y = 0; y < to; y++) {
    for (let x = 0; x < to; x++) {
      const target = (y * to + x) * hidden;
      for (const row of taps[y] ?? []) {
        for (const column of taps[x] ?? []) {
          const weight = row.weight * column.weight;
          const source = (row.at * from + column.at) * hidden;
          for (let i = 0; i < hidden; i++) {
            out[target + i] = (out[target + i] as number) + weight * (grid[source + i] as number);
          }
        }
      }
    }
  }
  return out;
}

/** Four neighbours by the cubic with a = −0.75, those beyond the edge taken at the edge. */
function bicubicTaps(index: number, from: number, to: number): { at: number; weight: number }[] {
  const place = ((index + 0.5) * from) / to - 0.5;
  const first = Math.floor(place);
  const t = place - first;
  const a = -0.75;
  const near = (d: number) => ((a + 2) * d - (a + 3)) * d * d + 1;
  const far = (d: number) => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return [far(1 + t), near(t), near(1 - t), far(2 - t)].map((weight, i) => ({
    at: Math.min(Math.max(first - 1 + i, 0), from - 1),
    weight,
  }));
}
