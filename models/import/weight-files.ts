import { open, readdir, readFile, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { appError } from "../../core/errors.ts";
import type { ExternalData } from "./graph-builder.ts";

/** External tensor data start at multiples of this, so that a kernel may use them in place. */
const alignment = 64;

/** Bytes after which what was written is made durable and noted, so that an import can go on after a power cut. */
const noteEvery = 16 * 1024 * 1024;

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

/**
 * Writes tensors one after another into numbered files of limited size. Call `close` before the files are used. What an
 * earlier, broken-off try wrote into the same folder is taken over: tensors come in the same order each time.
 */
export class WeightFiles {
  readonly #options: WeightFilesOptions;
  readonly names: string[] = [];
  /** Complete tensors of an earlier try, in order, and how many of them have been asked for. */
  readonly #earlier: ExternalData[];
  #taken = 0;
  #started = false;
  #handle: FileHandle | undefined;
  #end = 0;
  #open: { left: number } | undefined;
  #unnoted: ExternalData[] = [];

  private constructor(options: WeightFilesOptions, earlier: ExternalData[]) {
    this.#options = options;
    this.#earlier = earlier;
  }

  static async open(options: WeightFilesOptions): Promise<WeightFiles> {
    return new WeightFiles(options, await readNotes(options));
  }

  /** Places of the next tensors, where an earlier try has written all of them in these lengths; else null. */
  takeReady(lengths: readonly number[]): readonly ExternalData[] | null {
    const next = this.#earlier.slice(this.#taken, this.#taken + lengths.length);
    if (next.length < lengths.length || next.some(({ length }, i) => length !== lengths[i])) return null;
    this.#taken += lengths.length;
    return next;
  }

  /** Begins a tensor of `length` bytes; the one before must be complete. */
  async begin(length: number): Promise<WeightSlot> {
    this.#checkComplete();
    await this.#goOn();
    const start = Math.ceil(this.#end / alignment) * alignment;
    if (this.#handle === undefined || start + length > this.#options.fileLimit) await this.#nextFile();
    else if (this.#unnoted.reduce((sum, one) => sum + one.length, 0) > noteEvery) await this.#note();
    const offset = Math.ceil(this.#end / alignment) * alignment;
    const state = { left: length, at: offset };
    this.#open = state;
    this.#end = offset + length;
    const handle = this.#handle as FileHandle;
    const data = { location: this.names.at(-1) as string, offset, length };
    this.#unnoted.push(data);
    return {
      data,
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
    await this.#goOn();
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

  /** Behind the last tensor that was taken over, once; what an earlier try wrote after it goes. */
  async #goOn(): Promise<void> {
    if (this.#started) return;
    this.#started = true;
    const kept = this.#earlier.splice(0).slice(0, this.#taken);
    this.names.push(...new Set(kept.map(({ location }) => location)));
    await this.#removeOthers();
    if (kept.length > 0) await writeNotes(this.#options, kept);
    const last = kept.at(-1);
    if (last === undefined) return;
    this.#end = last.offset + last.length;
    this.#handle = await open(join(this.#options.folder, last.location), "r+");
    await this.#handle.truncate(this.#end);
  }

  async #removeOthers(): Promise<void> {
    const { folder, stem } = this.#options;
    for (const name of await readdir(folder)) {
      const own = name.startsWith(`${stem}-`) || name === `${stem}${notesSuffix}`;
      if (own && !this.names.includes(name)) await rm(join(folder, name));
    }
  }

  async #nextFile(): Promise<void> {
    await this.#closeFile();
    const name = `${this.#options.stem}-${this.names.length}.bin`;
    this.#handle = await open(join(this.#options.folder, name), "w");
    this.names.push(name);
    this.#end = 0;
  }

  async #closeFile(): Promise<void> {
    if (this.#handle === undefined) return;
    await this.#note();
    await this.#handle.close();
    this.#handle = undefined;
  }

  /** Data first, then the note: a note never speaks of bytes that a power cut took. */
  async #note(): Promise<void> {
    await this.#handle?.sync();
    const notes = await open(notesPath(this.#options), "a");
    try {
      await notes.writeFile(this.#unnoted.map(noteLine).join(""));
      await notes.sync();
    } finally {
      await notes.close();
    }
    this.#unnoted = [];
  }
}

/** Ends the names of files that are not the pack's. */
export const notesSuffix = ".notes";

function notesPath({ folder, stem }: WeightFilesOptions): string {
  return join(folder, `${stem}${notesSuffix}`);
}

function noteLine({ location, offset, length }: ExternalData): string {
  return `${location} ${offset} ${length}\n`;
}

async function writeNotes(options: WeightFilesOptions, kept: readonly ExternalData[]): Promise<void> {
  const notes = await open(notesPath(options), "w");
  try {
    await notes.writeFile(kept.map(noteLine).join(""));
    await notes.sync();
  } finally {
    await notes.close();
  }
}

/** The folder is the importer's own; a note that is cut off or wrong ends the list. */
async function readNotes(options: WeightFilesOptions): Promise<ExternalData[]> {
  const text = await readFile(notesPath(options), "utf8").catch(() => "");
  const places: ExternalData[] = [];
  for (const line of text.split("\n").slice(0, -1)) {
    const [, location, offset, length] = /^([\w-]+\.bin) (\d{1,15}) (\d{1,15})$/.exec(line) ?? [];
    if (location === undefined) break;
    places.push({ location, offset: Number(offset), length: Number(length) });
  }
  return places;
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
