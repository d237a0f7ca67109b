import { appError } from "../../core/errors.ts";
import type { ByteSource } from "./byte-source.ts";

/** Bounds that no honest file meets; a hostile one is refused before memory is asked for. */
export const ggufLimits = {
  metadataEntries: 65_536,
  tensors: 262_144,
  keyBytes: 65_535,
  stringBytes: 16 * 1024 * 1024,
  arrayItems: 16 * 1024 * 1024,
  arrayDepth: 3,
  headerBytes: 1024 * 1024 * 1024,
} as const;

export type GgufScalar = number | bigint | boolean | string;
export type GgufValue = GgufScalar | readonly GgufValue[];

export function ggufDamaged(what: string): Error {
  return appError("model-file-damaged", `The GGUF file is damaged: ${what}.`);
}

const windowBytes = 1024 * 1024;

/** A little-endian cursor over the head of the file; it holds one window of it at a time. */
export class GgufCursor {
  readonly #source: ByteSource;
  #window: Uint8Array = new Uint8Array(0);
  #view = new DataView(this.#window.buffer);
  #windowStart = 0;
  #position = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** Bytes from the start of the file. */
  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#source.size - this.#position;
  }

  async uint32(): Promise<number> {
    return this.#number(4, (view, at) => view.getUint32(at, true));
  }

  /** A count or a size; one beyond 2^53 cannot be a position in any file. */
  async size(what: string): Promise<number> {
    const value = await this.#number(8, (view, at) => view.getBigUint64(at, true));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw ggufDamaged(`${what} is too large`);
    return Number(value);
  }

  async string(limit: number): Promise<string> {
    const length = await this.size("a string length");
    if (length > limit || length > this.remaining) throw ggufDamaged("a string is longer than it can be");
    if (length > windowBytes) {
      const bytes = await this.#source.read(this.#position, length);
      this.#position += length;
      return decodeUtf8(bytes);
    }
    const at = await this.#take(length);
    return decodeUtf8(this.#window.subarray(at, at + length));
  }

  async value(type: number, depth = 0): Promise<GgufValue> {
    switch (type) {
      case 0:
        return this.#number(1, (view, at) => view.getUint8(at));
      case 1:
        return this.#number(1, (view, at) => view.getInt8(at));
      case 2:
        return this.#number(2, (view, at) => view.getUint16(at, true));
      case 3:
        return this.#number(2, (view, at) => view.getInt16(at, true));
      case 4:
        return this.uint32();
      case 5:
        return this.#number(4, (view, at) => view.getInt32(at, true));
      case 6:
        return this.#number(4, (view, at) => view.getFloat32(at, true));
      case 7:
        return this.#number(1, (view, at) => view.getUint8(at) !== 0);
      case 8:
        return this.string(ggufLimits.stringBytes);
      case 9:
        return this.#array(depth);
      case 10:
        return safeInteger(await this.#number(8, (view, at) => view.getBigUint64(at, true)));
      case 11:
        return safeInteger(await this.#number(8, (view, at) => view.getBigInt64(at, true)));
      case 12:
        return this.#number(8, (view, at) => view.getFloat64(at, true));
      default:
        throw ggufDamaged("a metadata value has an unknown type");
    }
  }

  async #array(depth: number): Promise<readonly GgufValue[]> {
    if (depth >= ggufLimits.arrayDepth) throw ggufDamaged("metadata arrays are nested too deeply");
    const type = await this.uint32();
    const count = await this.size("an array length");
    const smallest = smallestBytes[type];
    if (smallest === undefined) throw ggufDamaged("a metadata array has an unknown type");
    if (count > ggufLimits.arrayItems || count * smallest > this.remaining) {
      throw ggufDamaged("a metadata array is longer than it can be");
    }
    const items: GgufValue[] = [];
    for (let i = 0; i < count; i++) items.push(await this.value(type, depth + 1));
    return items;
  }

  // The view is looked up after the wait: reading may have replaced the window.
  async #number<T>(length: number, read: (view: DataView, at: number) => T): Promise<T> {
    const at = await this.#take(length);
    return read(this.#view, at);
  }

  /** Makes `length` bytes available in the window and returns where in it they start. */
  async #take(length: number): Promise<number> {
    const start = this.#position;
    const end = start + length;
    if (end > ggufLimits.headerBytes) throw ggufDamaged("its header is larger than it can be");
    if (start < this.#windowStart || end > this.#windowStart + this.#window.length) {
      if (length > this.remaining) throw ggufDamaged("it ends inside its header");
      this.#window = await this.#source.read(start, Math.min(Math.max(windowBytes, length), this.remaining));
      this.#view = new DataView(this.#window.buffer, this.#window.byteOffset, this.#window.byteLength);
      this.#windowStart = start;
    }
    this.#position = end;
    return start - this.#windowStart;
  }
}

/** Fewest bytes an array item of each type takes in the file: a bound on the count before anything is read. */
const smallestBytes: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  8: 8,
  9: 12,
  10: 8,
  11: 8,
  12: 8,
};

function safeInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw ggufDamaged("a string is not UTF-8");
  }
}
