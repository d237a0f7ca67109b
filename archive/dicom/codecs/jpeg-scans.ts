import { damaged } from "./codestream.ts";
import { BitReader, huffmanTable, type HuffmanTable } from "./jpeg-entropy.ts";

/** Tables in force when a scan begins (T.81 B.2.4). */
export interface JpegTables {
  readonly dc: (HuffmanTable | undefined)[];
  readonly ac: (HuffmanTable | undefined)[];
  /** In zigzag order. */
  readonly quantisation: (Uint16Array | undefined)[];
  restartInterval: number;
}

export interface ScanComponent {
  readonly id: number;
  readonly dc: number;
  readonly ac: number;
}

/** A scan header (T.81 B.2.3); for lossless scans `start` is the predictor and `low` the point transform. */
export interface Scan {
  readonly components: readonly ScanComponent[];
  readonly start: number;
  readonly end: number;
  readonly high: number;
  readonly low: number;
  readonly reader: BitReader;
}

const mostScans = 256;

/**
 * Walks the markers and hands each scan to `decode`, which reads its entropy-coded data. Data that goes on without
 * another scan ends the walk.
 */
export function eachScan(octets: Uint8Array, decode: (scan: Scan, tables: JpegTables) => void): void {
  const tables: JpegTables = { dc: [], ac: [], quantisation: [], restartInterval: 0 };
  let at = 2;
  let scans = 0;
  while (at + 4 <= octets.length && scans < mostScans) {
    const marker = octets[at + 1]!;
    if (octets[at] !== 0xff || marker === 0xff || marker === 0 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += 1;
      continue;
    }
    if (marker === 0xd9) return;
    const length = (octets[at + 2]! << 8) | octets[at + 3]!;
    const body = octets.subarray(at + 4, at + 2 + length);
    if (length < 2 || body.length !== length - 2) throw damaged();
    at += 2 + length;
    if (marker === 0xc4) readHuffman(body, tables);
    if (marker === 0xdb) readQuantisation(body, tables);
    if (marker === 0xdd) tables.restartInterval = ((body[0] ?? 0) << 8) | (body[1] ?? 0);
    if (marker !== 0xda) continue;
    const reader = new BitReader(octets, at);
    decode({ ...readScan(body), reader }, tables);
    at = reader.position;
    scans += 1;
  }
}

function readHuffman(body: Uint8Array, tables: JpegTables): void {
  let at = 0;
  while (at + 17 <= body.length) {
    const kind = body[at]!;
    const counts = body.subarray(at + 1, at + 17);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const values = body.subarray(at + 17, at + 17 + total);
    if ((kind & 15) > 3 || values.length !== total) throw damaged();
    (kind >> 4 === 0 ? tables.dc : tables.ac)[kind & 15] = huffmanTable(counts, values);
    at += 17 + total;
  }
}

function readQuantisation(body: Uint8Array, tables: JpegTables): void {
  let at = 0;
  while (at < body.length) {
    const kind = body[at]!;
    const wide = kind >> 4 !== 0;
    const size = wide ? 128 : 64;
    if (at + 1 + size > body.length || (kind & 15) > 3) throw damaged();
    const table = new Uint16Array(64);
    for (let i = 0; i < 64; i += 1) {
      const from = at + 1 + (wide ? i * 2 : i);
      table[i] = wide ? (body[from]! << 8) | body[from + 1]! : body[from]!;
    }
    tables.quantisation[kind & 15] = table;
    at += 1 + size;
  }
}

function readScan(body: Uint8Array): Omit<Scan, "reader"> {
  const count = body[0] ?? 0;
  if (count < 1 || count > 4 || body.length < 4 + count * 2) throw damaged();
  const components = Array.from({ length: count }, (_, i) => ({
    id: body[1 + i * 2]!,
    dc: body[2 + i * 2]! >> 4,
    ac: body[2 + i * 2]! & 15,
  }));
  const [start, end, approximation] = body.subarray(1 + count * 2) as unknown as [number, number, number];
  return { components, start, end, high: approximation >> 4, low: approximation & 15 };
}
