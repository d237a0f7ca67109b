import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { appError } from "../../core/errors.ts";
import type { ExternalData } from "./graph-builder.ts";

/** External tensor data start at multiples of this, so that a kernel may use them in place. */
const alignment = 64;

/** A place for one tensor's bytes, to be filled in order. */
export interface WeightSlot {
  readonly data: ExternalData;
  write(bytes: Uint8Array): Promise<void>;
}

export interface WeightFilesOptions {
  readonly folder: string;
  /** Files are named `STEM-0.bin`, `STEM-1.bin` and so on. */
  readonly stem: string;
  /** Bytes after which the next file is begun; a tensor is never split. */
  readonly fileLimit: number;
}

/** Writes tensors one after another into numbered files of limited size. Call `close` before the files are used. */
export class WeightFiles {
  readonly #options: WeightFilesOptions;
  readonly names: string[] = [];
  #handle: FileHandle | undefined;
  #end = 0;
  #open: { left: number } | undefined;

  constructor(options: WeightFilesOptions) {
    this.#options = options;
  }

  /** Begins a tensor of `length` bytes; the one before must be complete. */
  async begin(length: number): Promise<WeightSlot> {
    this.#checkComplete();
    const start = Math.ceil(this.#end / alignment) * alignment;
    if (this.#handle === undefined || start + length > this.#options.fileLimit) await this.#nextFile();
    const offset = Math.ceil(this.#end / alignment) * alignment;
    const state = { left: length, at: offset };
    this.#open = state;
    this.#end = offset + length;
    const handle = this.#handle as FileHandle;
    return {
      data: { location: this.names.at(-1) as string, offset, length },
      write: async (bytes) => {
        if (bytes.length > state.left)
          throw appError("internal", "A tensor is longer than it was announced.");
        await writeAll(handle, bytes, state.at);
        state.at += bytes.length;
        state.left -= bytes.length;
      },
    };
  }

  async add(bytes: Uint8Array): Promise<ExternalData> {
    const slot = await this.begin(bytes.length);
    await slot.write(bytes);
    return slot.data;
  }

  async close(): Promise<void> {
    this.#checkComplete();
    await this.#closeFile();
  }

  /** Closes without checks, after a failure. */
  async abandon(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }

  #checkComplete(): void {
    if (this.#open !== undefined && this.#open.left !== 0) {
      throw appError("internal", "A tensor is shorter than it was announced.");
    }
  }

  async #nextFile(): Promise<void> {
    await this.#closeFile();
    const name = `${this.#options.stem}-${this.names.length}.bin`;
    this.#handle = await open(join(this.#options.folder, name), "wx");
    this.names.push(name);
    this.#end = 0;
  }

  async #closeFile(): Promise<void> {
    await this.#handle?.sync();
    await this.#handle?.close();
    this.#handle = undefined;
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
