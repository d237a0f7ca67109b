import { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import yauzl from "yauzl";
import { appError, AppError, throwIfAborted } from "../../core/errors.ts";
import type { ByteSource } from "../byte-source.ts";
import { largestSpool, type SpoolFolder } from "../store/spool.ts";
import { type Candidate, lastName } from "./candidate.ts";

/** Bounds against archives that unpack to far more than they hold. Empty images do shrink a thousandfold. */
const mostEntries = 500_000;
const freeBytes = 1024 ** 3;
const largestRatio = 200;

/** What a ZIP may still unpack to, with all ZIPs within it. */
export interface UnpackBudget {
  bytes: number;
}

export function unpackBudget(source: ByteSource): UnpackBudget {
  return { bytes: Math.max(freeBytes, source.size * largestRatio) };
}

export interface ZipOptions {
  readonly spools: SpoolFolder;
  readonly budget: UnpackBudget;
}

export async function isZip(source: ByteSource): Promise<boolean> {
  const start = Buffer.from(await source.read(0, 4));
  return start.length === 4 && ["504b0304", "504b0506"].includes(start.toString("hex"));
}

/**
 * The files in a ZIP, each unpacked into a spool when it is opened. What the ZIP says of itself is checked: the whole
 * against the bounds above before anything is unpacked, sizes and checksums against what comes out.
 * @throws zip-damaged, too-large, not-supported
 */
export async function* readZip(
  source: ByteSource,
  { spools, budget }: ZipOptions,
  signal: AbortSignal,
): AsyncGenerator<Candidate, void, void> {
  await checkBounds(source, budget, signal);
  for await (const { zip, entry } of entriesOf(source, signal)) {
    const name = entryName(entry);
    yield { name: lastName(name), path: name, open: () => unpack({ zip, entry, spools, signal }) };
  }
}

async function checkBounds(source: ByteSource, budget: UnpackBudget, signal: AbortSignal): Promise<void> {
  let [count, packed, unpacked] = [0, 0, 0];
  for await (const { entry } of entriesOf(source, signal)) {
    count += 1;
    packed += entry.compressedSize;
    unpacked += entry.uncompressedSize;
    if (count > mostEntries) throw appError("too-large", "The ZIP has more than 500,000 files.");
    if (packed > source.size) throw appError("zip-damaged", "Files of the ZIP lie over one another.");
  }
  if (unpacked > budget.bytes) {
    throw appError("too-large", "The ZIP unpacks to far more than its size. It was not read.");
  }
  budget.bytes -= unpacked;
}

async function* entriesOf(source: ByteSource, signal: AbortSignal) {
  const zip = await naming(() =>
    yauzl.fromRandomAccessReaderPromise(new SourceReader(source), source.size, {
      autoClose: false,
      lazyEntries: true,
      // Names are shown, never used as paths, so a hostile one need not end the import of the others.
      decodeStrings: false,
      validateEntrySizes: true,
    }),
  );
  const entries = zip.eachEntry()[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value: entry } = await naming(() => entries.next());
      if (done) return;
      throwIfAborted(signal);
      if (!entryName(entry).endsWith("/")) yield { zip, entry };
    }
  } finally {
    await entries.return?.();
    zip.close();
  }
}

async function unpack(job: {
  zip: yauzl.ZipFile;
  entry: yauzl.Entry;
  spools: SpoolFolder;
  signal: AbortSignal;
}) {
  const { zip, entry, spools, signal } = job;
  if (entry.isEncrypted()) {
    throw appError("not-supported", "This file of the ZIP is locked by a password. Unpack it first.");
  }
  if (entry.uncompressedSize > largestSpool) throw appError("too-large", "This file is larger than 16 GB.");
  const spool = spools.create();
  try {
    let checksum = 0;
    const stream = await naming(() => zip.openReadStreamPromise(entry));
    const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    try {
      for (;;) {
        const { done, value } = await naming(() => chunks.next());
        if (done) break;
        throwIfAborted(signal);
        checksum = crc32(value, checksum);
        await spool.append(value);
      }
    } finally {
      stream.destroy();
    }
    if (checksum !== entry.crc32)
      throw appError("zip-damaged", "The checksum of this file of the ZIP is wrong.");
    return { source: await spool.source(), close: () => spool.discard() };
  } catch (thrown) {
    await spool.discard();
    throw thrown;
  }
}

/** yauzl reads through this, so that a ZIP may lie in a file or, encrypted, in the spool. */
class SourceReader extends yauzl.RandomAccessReader {
  readonly #source: ByteSource;

  constructor(source: ByteSource) {
    super();
    this.#source = source;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(rangeOf(this.#source, start, end), { objectMode: false });
  }

  override close(callback: (error: Error | null) => void): void {
    callback(null);
  }
}

async function* rangeOf(source: ByteSource, start: number, end: number): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end;) {
    const chunk = await source.read(at, Math.min(256 * 1024, end - at));
    if (chunk.length === 0) return;
    yield chunk;
    at += chunk.length;
  }
}

function entryName(entry: yauzl.Entry): string {
  // Bit 11: UTF-8 (APPNOTE 4.4.4); else an old code page, of which only the look matters here.
  const isUtf8 = (entry.generalPurposeBitFlag & 0x800) !== 0;
  return entry.fileName.toString(isUtf8 ? "utf8" : "latin1").replaceAll("\\", "/");
}

/** yauzl and zlib throw plain errors about what they read. */
async function naming<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof AppError) throw thrown;
    const reason = thrown instanceof Error && /compression method/.test(thrown.message);
    throw reason
      ? appError("not-supported", "The ZIP uses a packing method that is not known. Unpack it first.", thrown)
      : appError("zip-damaged", "The ZIP is damaged or was cut short.", thrown);
  }
}
