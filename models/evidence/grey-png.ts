import { deflateSync, inflateSync } from "node:zlib";
import { appError } from "../../core/errors.ts";

/**
 * Reference images lie in a pack as 8-bit grey PNG without interlace (W3C PNG, third edition), and this reads
 * exactly that. Images of users are decoded in the archive process, never here.
 */
export interface GreyPicture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

const signature = [137, 80, 78, 71, 13, 10, 26, 10];
const largestSide = 4096;

/** @throws pack-damaged */
export function readGreyPng(bytes: Uint8Array): GreyPicture {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (signature.some((byte, index) => bytes[index] !== byte)) throw damaged();
  let header: { width: number; height: number } | null = null;
  const data: Uint8Array[] = [];
  for (let at = signature.length; at + 12 <= bytes.length;) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (length > bytes.length - at - 12) throw damaged();
    if (type === "IHDR") header = readHeader(view, at + 8, length);
    if (type === "IDAT") data.push(bytes.subarray(at + 8, at + 8 + length));
    if (type === "IEND") break;
    at += length + 12;
  }
  if (header === null) throw damaged();
  const { width, height } = header;
  const rows = inflate(Buffer.concat(data), height * (width + 1));
  return { width, height, pixels: unfilter(rows, width, height) };
}

export function writeGreyPng({ width, height, pixels }: GreyPicture): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  const rows = Buffer.alloc(height * (width + 1));
  for (let row = 0; row < height; row++) {
    rows.set(pixels.subarray(row * width, (row + 1) * width), row * (width + 1) + 1);
  }
  return Buffer.concat([
    Buffer.from(signature),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function readHeader(view: DataView, at: number, length: number): { width: number; height: number } {
  if (length !== 13) throw damaged();
  const width = view.getUint32(at);
  const height = view.getUint32(at + 4);
  // Bit depth 8, colour type 0 (grey), no interlace.
  const plain = view.getUint8(at + 8) === 8 && view.getUint8(at + 9) === 0 && view.getUint8(at + 12) === 0;
  if (!plain || width < 1 || height < 1 || width > largestSide || height > largestSide) throw damaged();
  return { width, height };
}

function inflate(data: Uint8Array, length: number): Uint8Array {
  try {
    const rows = inflateSync(data, { maxOutputLength: length });
    if (rows.length === length) return rows;
  } catch (cause) {
    throw damaged(cause);
  }
  throw damaged();
}

/** Section 9: None, Sub, Up, Average, Paeth. */
function unfilter(rows: Uint8Array, width: number, height: number): Uint8Array {
  const pixels = new Uint8Array(width * height);
  for (let row = 0; row < height; row++) {
    const filter = rows[row * (width + 1)]!;
    if (filter > 4) throw damaged();
    for (let column = 0; column < width; column++) {
      const at = row * width + column;
      const left = column > 0 ? pixels[at - 1]! : 0;
      const up = row > 0 ? pixels[at - width]! : 0;
      const corner = column > 0 && row > 0 ? pixels[at - width - 1]! : 0;
      const added = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter]!;
      pixels[at] = (rows[row * (width + 1) + 1 + column]! + added) & 255;
    }
  }
  return pixels;
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(data.length + 12);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(type, 4, "latin1");
  bytes.set(data, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, data.length + 8)), data.length + 8);
  return bytes;
}

/** Annex D. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function damaged(cause?: unknown): Error {
  return appError(
    "pack-damaged",
    "A reference image of the model pack cannot be read. Install the pack again.",
    cause,
  );
}
