import { appError } from "../../core/errors.ts";
import { bfloat16ToFloat, halfToFloatTable } from "./half-float.ts";

/** One GGUF element type: values and bytes of a block, and how a run of blocks becomes float32. */
export interface GgufType {
  readonly name: string;
  readonly blockValues: number;
  readonly blockBytes: number;
  readonly dequantise: (blocks: Uint8Array, out: Float32Array) => void;
}

/** Block layouts follow ggml-common.h and gguf-py's quants.py (MIT). The keys are ggml's type numbers. */
export const ggufTypes: ReadonlyMap<number, GgufType> = new Map([
  [0, { name: "F32", blockValues: 1, blockBytes: 4, dequantise: fromF32 }],
  [1, { name: "F16", blockValues: 1, blockBytes: 2, dequantise: fromF16 }],
  [2, { name: "Q4_0", blockValues: 32, blockBytes: 18, dequantise: fromQ4_0 }],
  [3, { name: "Q4_1", blockValues: 32, blockBytes: 20, dequantise: fromQ4_1 }],
  [6, { name: "Q5_0", blockValues: 32, blockBytes: 22, dequantise: fromQ5_0 }],
  [7, { name: "Q5_1", blockValues: 32, blockBytes: 24, dequantise: fromQ5_1 }],
  [8, { name: "Q8_0", blockValues: 32, blockBytes: 34, dequantise: fromQ8_0 }],
  [12, { name: "Q4_K", blockValues: 256, blockBytes: 144, dequantise: fromQ4K }],
  [13, { name: "Q5_K", blockValues: 256, blockBytes: 176, dequantise: fromQ5K }],
  [14, { name: "Q6_K", blockValues: 256, blockBytes: 210, dequantise: fromQ6K }],
  [30, { name: "BF16", blockValues: 1, blockBytes: 2, dequantise: fromBF16 }],
]);

export function ggufType(number: number): GgufType {
  const type = ggufTypes.get(number);
  if (type === undefined) {
    throw appError(
      "not-supported",
      `The model file holds weights of a type that cannot be read (GGUF type ${number}). ` +
        `Readable are ${[...ggufTypes.values()].map((known) => known.name).join(", ")}.`,
    );
  }
  return type;
}

function half(bytes: Uint8Array, at: number): number {
  return halfToFloatTable()[(bytes[at] as number) | ((bytes[at + 1] as number) << 8)] as number;
}

export function fromF32(bytes: Uint8Array, out: Float32Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < out.length; i++) out[i] = view.getFloat32(i * 4, true);
}

export function fromF16(bytes: Uint8Array, out: Float32Array): void {
  for (let i = 0; i < out.length; i++) out[i] = half(bytes, i * 2);
}

export function fromBF16(bytes: Uint8Array, out: Float32Array): void {
  for (let i = 0; i < out.length; i++) {
    out[i] = bfloat16ToFloat((bytes[i * 2] as number) | ((bytes[i * 2 + 1] as number) << 8));
  }
}

/** d: f16, 16 bytes of nibbles (low nibbles are values 0–15): d × (q − 8). */
function fromQ4_0(bytes: Uint8Array, out: Float32Array): void {
  for (let block = 0, at = 0; block < out.length; block += 32, at += 18) {
    const d = half(bytes, at);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 2 + i] as number;
      out[block + i] = d * ((pair & 15) - 8);
      out[block + 16 + i] = d * ((pair >> 4) - 8);
    }
  }
}

/** d, m: f16, 16 bytes of nibbles: d × q + m. */
function fromQ4_1(bytes: Uint8Array, out: Float32Array): void {
  for (let block = 0, at = 0; block < out.length; block += 32, at += 20) {
    const d = half(bytes, at);
    const m = half(bytes, at + 2);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 4 + i] as number;
      out[block + i] = d * (pair & 15) + m;
      out[block + 16 + i] = d * (pair >> 4) + m;
    }
  }
}

/** The fifth bit of 32 values as one little-endian word. */
function highBits(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

/** d: f16, 4 bytes of fifth bits, 16 bytes of nibbles: d × (q − 16). */
function fromQ5_0(bytes: Uint8Array, out: Float32Array): void {
  for (let block = 0, at = 0; block < out.length; block += 32, at += 22) {
    const d = half(bytes, at);
    const high = highBits(bytes, at + 2);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 6 + i] as number;
      out[block + i] = d * (((pair & 15) | (((high >>> i) & 1) << 4)) - 16);
      out[block + 16 + i] = d * (((pair >> 4) | (((high >>> (i + 16)) & 1) << 4)) - 16);
    }
  }
}

/** d, m: f16, 4 bytes of fifth bits, 16 bytes of nibbles: d × q + m. */
function fromQ5_1(bytes: Uint8Array, out: Float32Array): void {
  for (let block = 0, at = 0; block < out.length; block += 32, at += 24) {
    const d = half(bytes, at);
    const m = half(bytes, at + 2);
    const high = highBits(bytes, at + 4);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 8 + i] as number;
      out[block + i] = d * ((pair & 15) | (((high >>> i) & 1) << 4)) + m;
      out[block + 16 + i] = d * ((pair >> 4) | (((high >>> (i + 16)) & 1) << 4)) + m;
    }
  }
}

/** d: f16, 32 signed bytes: d × q. */
function fromQ8_0(bytes: Uint8Array, out: Float32Array): void {
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let block = 0, at = 0; block < out.length; block += 32, at += 34) {
    const d = half(bytes, at);
    for (let i = 0; i < 32; i++) out[block + i] = d * (signed[at + 2 + i] as number);
  }
}

/** The 6-bit scale and minimum of sub-block `j` of 8, packed into 12 bytes. */
function scaleAndMin(bytes: Uint8Array, at: number, j: number): [scale: number, min: number] {
  const low = bytes[at + j] as number;
  const middle = bytes[at + j + 4] as number;
  if (j < 4) return [low & 63, middle & 63];
  return [(middle & 15) | (((bytes[at + j - 4] as number) >> 6) << 4), (middle >> 4) | ((low >> 6) << 4)];
}

/** d, dmin: f16, 12 bytes of 6-bit scales and minima for 8 × 32 values, 128 bytes of nibbles. */
function fromQ4K(bytes: Uint8Array, out: Float32Array): void {
  for (let block = 0, at = 0; block < out.length; block += 256, at += 144) {
    const d = half(bytes, at);
    const dmin = half(bytes, at + 2);
    for (let j = 0; j < 8; j++) {
      const [scale, min] = scaleAndMin(bytes, at + 4, j);
      const nibbles = at + 16 + (j >> 1) * 32;
      const shift = (j & 1) * 4;
      for (let i = 0; i < 32; i++) {
        const q = ((bytes[nibbles + i] as number) >> shift) & 15;
        out[block + j * 32 + i] = Math.fround(d * scale) * q - Math.fround(dmin * min);
      }
    }
  }
}

/** As Q4_K, with 32 bytes of fifth bits before the nibbles: bit j of byte i belongs to value i of sub-block j. */
function fromQ5K(bytes: Uint8Array, out: Float32Array): void {
  for (let block = 0, at = 0; block < out.length; block += 256, at += 176) {
    const d = half(bytes, at);
    const dmin = half(bytes, at + 2);
    for (let j = 0; j < 8; j++) {
      const [scale, min] = scaleAndMin(bytes, at + 4, j);
      const nibbles = at + 48 + (j >> 1) * 32;
      const shift = (j & 1) * 4;
      for (let i = 0; i < 32; i++) {
        const low = ((bytes[nibbles + i] as number) >> shift) & 15;
        const high = ((bytes[at + 16 + i] as number) >> j) & 1;
        out[block + j * 32 + i] = Math.fround(d * scale) * (low | (high << 4)) - Math.fround(dmin * min);
      }
    }
  }
}

/** 128 bytes of low nibbles, 64 of high bit pairs, 16 signed scales, d: f16: d × scale × (q − 32). */
function fromQ6K(bytes: Uint8Array, out: Float32Array): void {
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let block = 0, at = 0; block < out.length; block += 256, at += 210) {
    const d = half(bytes, at + 208);
    for (let i = 0; i < 256; i++) {
      // Values come in two halves of 128; a half holds four groups of 32 that share its 64 nibble bytes.
      const side = i >> 7;
      const group = (i >> 5) & 3;
      const lane = i & 31;
      const low =
        ((bytes[at + side * 64 + (group & 1) * 32 + lane] as number) >> (group >> 1 === 0 ? 0 : 4)) & 15;
      const high = ((bytes[at + 128 + side * 32 + lane] as number) >> (group * 2)) & 3;
      const scale = signed[at + 192 + (i >> 4)] as number;
      out[block + i] = Math.fround(d * scale) * ((low | (high << 4)) - 32);
    }
  }
}
