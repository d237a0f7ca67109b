import { appError } from "../../../core/errors.ts";
import { damaged, type DecodedSamples } from "./codestream.ts";
import type { BitReader, HuffmanTable } from "./jpeg-entropy.ts";
import type { JpegFrame } from "./jpeg-markers.ts";
import { eachScan, type JpegTables, type Scan } from "./jpeg-scans.ts";

/** Coefficient k of the zigzag stands at this place of the 8 x 8 block (T.81 figure A.6). */
const zigzag = Uint8Array.from(
  (
    "0 1 8 16 9 2 3 10 17 24 32 25 18 11 4 5 12 19 26 33 40 48 41 34 27 20 13 6 7 14 21 28 " +
    "35 42 49 56 57 50 43 36 29 22 15 23 30 37 44 51 58 59 52 45 38 31 39 46 53 60 61 54 47 55 62 63"
  ).split(" "),
  Number,
);

interface Blocks {
  readonly across: number;
  readonly down: number;
  /** 64 coefficients a block, in zigzag order, not yet multiplied. */
  readonly coefficients: Int32Array;
}

/**
 * Grey JPEG of 12 bits, extended sequential and progressive Huffman coding (ITU-T T.81 annexes F and G), which
 * libjpeg-turbo's 8-bit build leaves out. The shape was checked against the header before.
 * @throws pixel-data-damaged, transfer-syntax-not-supported for colour and arithmetic coding
 */
export function decodeTwelveBit(octets: Uint8Array, frame: JpegFrame): DecodedSamples {
  if (frame.components !== 1 || frame.sof > 0xc2) {
    throw appError(
      "transfer-syntax-not-supported",
      "This kind of 12-bit JPEG (colour, arithmetic) is not decoded.",
    );
  }
  const across = Math.ceil(frame.columns / 8);
  const down = Math.ceil(frame.rows / 8);
  const blocks: Blocks = { across, down, coefficients: new Int32Array(across * down * 64) };
  let tables: JpegTables | null = null;
  eachScan(octets, (scan, inForce) => {
    tables = inForce;
    decodeScan(scan, inForce, { blocks, progressive: frame.sof === 0xc2 });
  });
  const quantisation = (tables as JpegTables | null)?.quantisation[frame.quantisation[0]!];
  if (!quantisation) throw damaged();
  return { values: toSamples(blocks, quantisation, frame), colour: "as-stored", overshoots: true };
}

interface Target {
  readonly blocks: Blocks;
  readonly progressive: boolean;
}

/** What a scan carries from block to block. */
interface State {
  readonly reader: BitReader;
  readonly scan: Scan;
  readonly dc: HuffmanTable | undefined;
  readonly ac: HuffmanTable | undefined;
  prediction: number;
  /** Blocks that a progressive scan has declared empty from here on (T.81 G.1.2.2). */
  emptyBlocks: number;
}

function decodeScan(scan: Scan, tables: JpegTables, target: Target): void {
  const [component] = scan.components;
  if (!component || scan.components.length !== 1) throw damaged();
  const state: State = {
    reader: scan.reader,
    scan,
    dc: tables.dc[component.dc],
    ac: tables.ac[component.ac],
    prediction: 0,
    emptyBlocks: 0,
  };
  if (scan.start > scan.end || scan.end > 63 || scan.low > 13) throw damaged();
  const { coefficients } = target.blocks;
  const decodeBlock = target.progressive ? progressiveDecoder(scan) : decodeSequential;
  for (let at = 0, done = 0; at < coefficients.length; at += 64, done += 1) {
    if (tables.restartInterval > 0 && done > 0 && done % tables.restartInterval === 0) {
      if (!scan.reader.restart()) throw damaged();
      state.prediction = 0;
      state.emptyBlocks = 0;
    }
    decodeBlock(state, coefficients.subarray(at, at + 64));
  }
}

function decodeSequential(state: State, block: Int32Array): void {
  const { reader } = state;
  state.prediction += reader.difference(category(reader, state.dc));
  block[0] = state.prediction;
  for (let k = 1; k < 64; k += 1) {
    const symbol = reader.symbol(present(state.ac));
    const size = symbol & 15;
    const run = symbol >> 4;
    if (size === 0 && run !== 15) return;
    k += run;
    if (k > 63) throw damaged();
    if (size > 0) block[k] = reader.difference(size);
  }
}

function progressiveDecoder(scan: Scan): (state: State, block: Int32Array) => void {
  if (scan.start === 0) return scan.high === 0 ? firstDc : refineDc;
  return scan.high === 0 ? firstAc : refineAc;
}

function firstDc(state: State, block: Int32Array): void {
  state.prediction += state.reader.difference(category(state.reader, state.dc));
  block[0] = state.prediction << state.scan.low;
}

function refineDc(state: State, block: Int32Array): void {
  if (state.reader.receive(1) === 1) block[0] = block[0]! | (1 << state.scan.low);
}

function firstAc(state: State, block: Int32Array): void {
  const { reader, scan } = state;
  if (state.emptyBlocks > 0) {
    state.emptyBlocks -= 1;
    return;
  }
  for (let k = scan.start; k <= scan.end; k += 1) {
    const symbol = reader.symbol(present(state.ac));
    const size = symbol & 15;
    const run = symbol >> 4;
    if (size === 0 && run < 15) {
      state.emptyBlocks = (1 << run) - 1 + reader.receive(run);
      return;
    }
    k += run;
    if (k > 63) throw damaged();
    if (size > 0) block[k] = reader.difference(size) << scan.low;
  }
}

/** Adds one bit to coefficients that are not zero, and brings new ones of size one (T.81 G.1.2.3). */
function refineAc(state: State, block: Int32Array): void {
  const { reader, scan } = state;
  let k = scan.start;
  while (k <= scan.end && state.emptyBlocks === 0) {
    const symbol = reader.symbol(present(state.ac));
    const run = symbol >> 4;
    let value = 0;
    if ((symbol & 15) === 0) {
      if (run < 15) {
        state.emptyBlocks = (1 << run) + reader.receive(run);
        break;
      }
    } else {
      value = reader.receive(1) === 1 ? 1 << scan.low : -1 << scan.low;
    }
    k = skipZeros(state, block, { from: k, zeros: run });
    if (value !== 0 && k <= scan.end) block[k] = value;
    k += 1;
  }
  if (state.emptyBlocks > 0) {
    skipZeros(state, block, { from: k, zeros: 64 });
    state.emptyBlocks -= 1;
  }
}

/** Passes `zeros` zero coefficients, refining the others on the way; the place of the zero after them. */
function skipZeros(state: State, block: Int32Array, run: { from: number; zeros: number }): number {
  const { reader, scan } = state;
  let left = run.zeros;
  let k = run.from;
  for (; k <= scan.end; k += 1) {
    const value = block[k]!;
    if (value === 0) {
      if (left === 0) return k;
      left -= 1;
    } else if (reader.receive(1) === 1 && (Math.abs(value) & (1 << scan.low)) === 0) {
      block[k] = value + (value > 0 ? 1 : -1) * (1 << scan.low);
    }
  }
  return k;
}

function category(reader: BitReader, table: HuffmanTable | undefined): number {
  const size = reader.symbol(present(table));
  if (size > 16) throw damaged();
  return size;
}

function present(table: HuffmanTable | undefined): HuffmanTable {
  if (!table) throw damaged();
  return table;
}

/** cosine[x * 8 + u] of the inverse transform (T.81 A.3.3), with its factor. */
const cosine = Float64Array.from({ length: 64 }, (_, i) => {
  const u = i & 7;
  return (u === 0 ? Math.SQRT1_2 : 1) * 0.5 * Math.cos((((i >> 3) * 2 + 1) * u * Math.PI) / 16);
});

function toSamples(blocks: Blocks, quantisation: Uint16Array, frame: JpegFrame): Uint16Array {
  const { rows, columns } = frame;
  const values = new Uint16Array(rows * columns);
  const spectrum = new Float64Array(64);
  const half = new Float64Array(64);
  for (let block = 0; block < blocks.across * blocks.down; block += 1) {
    for (let k = 0; k < 64; k += 1) {
      spectrum[zigzag[k]!] = blocks.coefficients[block * 64 + k]! * quantisation[k]!;
    }
    transform(spectrum, half);
    const top = Math.floor(block / blocks.across) * 8;
    const left = (block % blocks.across) * 8;
    for (let y = 0; y < 8 && top + y < rows; y += 1) {
      for (let x = 0; x < 8 && left + x < columns; x += 1) {
        const level = Math.round(spectrum[y * 8 + x]!) + 2048;
        values[(top + y) * columns + left + x] = Math.min(4095, Math.max(0, level));
      }
    }
  }
  return values;
}

/** Inverse DCT in place, rows and then columns, in double precision. */
function transform(block: Float64Array, half: Float64Array): void {
  for (let v = 0; v < 8; v += 1) {
    for (let x = 0; x < 8; x += 1) {
      let sum = 0;
      for (let u = 0; u < 8; u += 1) sum += cosine[x * 8 + u]! * block[v * 8 + u]!;
      half[v * 8 + x] = sum;
    }
  }
  for (let x = 0; x < 8; x += 1) {
    for (let y = 0; y < 8; y += 1) {
      let sum = 0;
      for (let v = 0; v < 8; v += 1) sum += cosine[y * 8 + v]! * half[v * 8 + x]!;
      block[y * 8 + x] = sum;
    }
  }
}
