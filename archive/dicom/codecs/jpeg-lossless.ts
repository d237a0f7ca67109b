import { appError } from "../../../core/errors.ts";
import { damaged, type DecodedSamples, type Expected } from "./codestream.ts";
import type { HuffmanTable } from "./jpeg-entropy.ts";
import { readJpegFrame, type JpegFrame } from "./jpeg-markers.ts";
import { eachScan, type JpegTables, type Scan } from "./jpeg-scans.ts";

/**
 * JPEG Lossless, process 14 (ITU-T T.81 annex H): 2 to 16 bits, grey or colour, any predictor, point transform and
 * restart intervals. The shape was checked against the header before.
 * @throws pixel-data-damaged, transfer-syntax-not-supported for subsampled colour
 */
export function decodeJpegLossless(octets: Uint8Array, expected: Expected): DecodedSamples {
  const frame = readJpegFrame(octets);
  if (frame.subsampled) {
    throw appError("transfer-syntax-not-supported", "JPEG Lossless with subsampled colour is not decoded.");
  }
  const size = expected.rows * expected.columns * expected.samples;
  const values = frame.precision > 8 ? new Uint16Array(size) : new Uint8Array(size);
  const decoded = new Set<number>();
  eachScan(octets, (scan, tables) => {
    for (const index of decodeScan({ scan, tables, frame }, values)) decoded.add(index);
  });
  if (decoded.size !== expected.samples) throw damaged();
  return { values, colour: "as-stored", overshoots: false };
}

interface Source {
  readonly scan: Scan;
  readonly tables: JpegTables;
  readonly frame: JpegFrame;
}

/** Decodes the components of one scan; their indices. */
function decodeScan({ scan, tables, frame }: Source, values: Uint8Array | Uint16Array): number[] {
  const { rows, columns, components: samples } = frame;
  const { reader, low, start: predictor } = scan;
  const indices = scan.components.map((component) => frame.componentIds.indexOf(component.id));
  const huffman = scan.components.map((component) => tables.dc[component.dc]);
  if (indices.includes(-1) || huffman.includes(undefined) || predictor < 1 || predictor > 7) throw damaged();
  const first = 1 << Math.max(0, frame.precision - low - 1);
  // Predictions are made before the point transform is undone, so rows are kept as they are coded.
  let above = indices.map(() => new Int32Array(columns));
  let line = indices.map(() => new Int32Array(columns));
  let sinceRestart = 0;
  let startRow = 0;
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      if (tables.restartInterval > 0 && sinceRestart === tables.restartInterval) {
        if (!reader.restart()) throw damaged();
        sinceRestart = 0;
        startRow = row;
      }
      sinceRestart += 1;
      for (let k = 0; k < indices.length; k += 1) {
        const current = line[k]!;
        const prior = above[k]!;
        let predicted: number;
        if (row === startRow) predicted = column === 0 || sinceRestart === 1 ? first : current[column - 1]!;
        else if (column === 0) predicted = prior[0]!;
        else predicted = predict(predictor, current[column - 1]!, [prior[column]!, prior[column - 1]!]);
        const length = reader.symbol(huffman[k] as HuffmanTable);
        if (length > 16) throw damaged();
        const difference = length === 16 ? 32_768 : reader.difference(length);
        const value = (predicted + difference) & 0xffff;
        current[column] = value;
        values[(row * columns + column) * samples + indices[k]!] = value << low;
      }
    }
    [above, line] = [line, above];
  }
  return indices;
}

/** Table H.1: a is to the left, b above, c above to the left. */
function predict(predictor: number, a: number, [b, c]: readonly [number, number]): number {
  switch (predictor) {
    case 1:
      return a;
    case 2:
      return b;
    case 3:
      return c;
    case 4:
      return a + b - c;
    case 5:
      return a + ((b - c) >> 1);
    case 6:
      return b + ((a - c) >> 1);
    default:
      return (a + b) >> 1;
  }
}
