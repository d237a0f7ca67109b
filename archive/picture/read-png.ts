import { constants, inflateSync } from "node:zlib";
import { decode } from "fast-png";
import { appError } from "../../core/errors.ts";
import type { RawPicture } from "./raw-picture.ts";

const mostPixels = 1 << 27;
const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Everything else (profiles, texts, animation) is not needed, and its compressed parts have no bound. */
const kept = new Set(["IHDR", "PLTE", "IDAT", "IEND"]);

interface Layout {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly channels: number;
  readonly indexed: boolean;
  readonly interlaced: boolean;
}

export function isPng(octets: Uint8Array): boolean {
  return signature.every((octet, i) => octets[i] === octet);
}

/**
 * PNG (ISO/IEC 15948) to grey or RGB of 8 or 16 bits. Transparency is left out, with a warning.
 * @throws image-damaged, too-large
 */
export function readPng(octets: Uint8Array): RawPicture {
  const chunks = readChunks(octets);
  const layout = readLayout(chunks[0]!.data);
  requireBounded(layout, chunks);
  try {
    return toRaw(decode(join(chunks)), layout);
  } catch (thrown) {
    throw damaged(thrown);
  }
}

interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
  /** Length, type, data and checksum as they stand in the file. */
  readonly whole: Uint8Array;
}

function readChunks(octets: Uint8Array): Chunk[] {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const chunks: Chunk[] = [];
  let at = signature.length;
  while (at + 12 <= octets.length) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...octets.subarray(at + 4, at + 8));
    if (at + 12 + length > octets.length) throw damaged();
    const data = octets.subarray(at + 8, at + 8 + length);
    if (kept.has(type)) chunks.push({ type, data, whole: octets.subarray(at, at + 12 + length) });
    if (type === "IEND") break;
    at += 12 + length;
  }
  if (chunks[0]?.type !== "IHDR" || chunks.at(-1)?.type !== "IEND") throw damaged();
  if (chunks.filter((chunk) => chunk.type === "IHDR").length !== 1) throw damaged();
  return chunks;
}

function readLayout(header: Uint8Array): Layout {
  if (header.length !== 13) throw damaged();
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const width = view.getUint32(0);
  const height = view.getUint32(4);
  const depth = header[8]!;
  const channels = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }[header[9]!];
  if (width === 0 || height === 0 || channels === undefined || ![1, 2, 4, 8, 16].includes(depth)) {
    throw damaged();
  }
  if (width > 65_535 || height > 65_535 || width * height * channels > mostPixels) throw tooLarge();
  const interlaced = header[12] === 1;
  if (interlaced && depth < 8)
    throw appError("not-supported", "Interlaced PNGs of less than 8 bits are not read.");
  return { width, height, depth, channels, indexed: header[9] === 3, interlaced };
}

/** Inflates once only to see that the image data is no larger than its header says. */
function requireBounded(layout: Layout, chunks: readonly Chunk[]): void {
  const line = Math.ceil((layout.width * layout.depth * layout.channels) / 8) + 1;
  // Interlaced pictures have up to seven passes, each with a filter octet a line and a partial octet.
  const largest = line * layout.height + (layout.interlaced ? layout.height * 16 + 1024 : 0);
  const packed = Buffer.concat(chunks.filter((chunk) => chunk.type === "IDAT").map((chunk) => chunk.data));
  try {
    const options = { maxOutputLength: largest + 64, finishFlush: constants.Z_SYNC_FLUSH };
    inflateSync(packed, options);
  } catch (thrown) {
    if (thrown instanceof RangeError) throw tooLarge();
    throw damaged(thrown);
  }
}

function join(chunks: readonly Chunk[]): Uint8Array {
  return Buffer.concat([Uint8Array.from(signature), ...chunks.map((chunk) => chunk.whole)]);
}

function toRaw(png: ReturnType<typeof decode>, layout: Layout): RawPicture {
  const { width, height } = layout;
  const samples = unpacked(png.data, layout);
  const warnings = layout.channels % 2 === 0 ? ["Transparency of the picture was left out."] : [];
  if (png.palette)
    return { width, height, channels: 3, values: applyPalette(samples, png.palette), warnings };
  if (layout.channels === 1 || layout.channels === 3) {
    return { width, height, channels: layout.channels, values: samples, warnings };
  }
  const channels = layout.channels === 2 ? 1 : 3;
  return { width, height, channels, values: withoutAlpha(samples, channels), warnings };
}

/** One value a sample; grey of less than 8 bits is spread over 0 to 255. */
function unpacked(
  data: Uint8Array | Uint8ClampedArray | Uint16Array,
  layout: Layout,
): Uint8Array | Uint16Array {
  if (data instanceof Uint16Array) return data;
  const { width, height, depth } = layout;
  if (depth === 8) return new Uint8Array(data.buffer, data.byteOffset, data.length);
  const line = Math.ceil((width * depth) / 8);
  const out = new Uint8Array(width * height);
  const scale = layout.indexed ? 1 : 255 / (2 ** depth - 1);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const bit = x * depth;
      const octet = data[y * line + (bit >> 3)]!;
      out[y * width + x] = ((octet >> (8 - depth - (bit & 7))) & (2 ** depth - 1)) * scale;
    }
  }
  return out;
}

function applyPalette(indices: Uint8Array | Uint16Array, palette: number[][]): Uint8Array {
  const out = new Uint8Array(indices.length * 3);
  for (let i = 0; i < indices.length; i += 1) {
    const entry = palette[Math.min(indices[i]!, palette.length - 1)];
    for (let c = 0; c < 3; c += 1) out[i * 3 + c] = entry?.[c] ?? 0;
  }
  return out;
}

function withoutAlpha(samples: Uint8Array | Uint16Array, channels: 1 | 3): Uint8Array | Uint16Array {
  const pixels = samples.length / (channels + 1);
  const out = samples.slice(0, pixels * channels);
  for (let i = 0; i < pixels; i += 1) {
    for (let c = 0; c < channels; c += 1) out[i * channels + c] = samples[i * (channels + 1) + c]!;
  }
  return out;
}

function damaged(cause?: unknown): Error {
  return appError("image-damaged", "The PNG is damaged and cannot be read.", cause);
}

function tooLarge(): Error {
  return appError("too-large", "The PNG is larger than this app reads.");
}
