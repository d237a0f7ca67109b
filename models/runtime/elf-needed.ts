import { type FileHandle, open } from "node:fs/promises";

/** Names and counts beyond these are no library's. */
const segmentLimit = 256;
const tableLimit = 16 * 1024 * 1024;

/**
 * The names of the libraries that a 64-bit little-endian ELF library asks for (DT_NEEDED; System V ABI, chapter 5).
 * A file that is none gives none: loading it would fail by itself.
 */
export async function neededLibraries(file: string): Promise<string[]> {
  const handle = await open(file, "r");
  try {
    return await readNeeded(handle);
  } catch {
    return [];
  } finally {
    await handle.close();
  }
}

const loadSegment = 1;
const dynamicSegment = 2;
const needed = 1n;
const stringTable = 5n;
const stringSize = 10n;

async function readNeeded(handle: FileHandle): Promise<string[]> {
  const header = await read(handle, 0, 64);
  if (header.toString("latin1", 0, 4) !== "\x7fELF" || header[4] !== 2 || header[5] !== 1) return [];
  const at = Number(header.readBigUInt64LE(32));
  const size = header.readUInt16LE(54);
  const count = header.readUInt16LE(56);
  if (count > segmentLimit || size < 56) return [];
  const table = await read(handle, at, count * size);
  const segments = Array.from({ length: count }, (_, index) => {
    const entry = table.subarray(index * size);
    const number = (offset: number) => Number(entry.readBigUInt64LE(offset));
    return { type: entry.readUInt32LE(0), offset: number(8), address: number(16), bytes: number(32) };
  });
  const dynamic = segments.find(({ type }) => type === dynamicSegment);
  if (!dynamic) return [];
  const entries = await read(handle, dynamic.offset, dynamic.bytes);
  const names: number[] = [];
  let strings = 0;
  let stringBytes = 0;
  for (let index = 0; index + 16 <= entries.length; index += 16) {
    const tag = entries.readBigUInt64LE(index);
    const value = Number(entries.readBigUInt64LE(index + 8));
    if (tag === needed) names.push(value);
    else if (tag === stringTable) strings = value;
    else if (tag === stringSize) stringBytes = value;
  }
  // The table's place is an address; a segment says where in the file that is.
  const home = segments.find(
    ({ type, address, bytes }) => type === loadSegment && strings >= address && strings < address + bytes,
  );
  if (!home) return [];
  const text = await read(handle, strings - home.address + home.offset, stringBytes);
  return names.map((start) => text.toString("latin1", start, text.indexOf(0, start)));
}

async function read(handle: FileHandle, at: number, length: number): Promise<Buffer> {
  if (length > tableLimit) throw new Error("too large for a table");
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await handle.read(buffer, 0, length, at);
  if (bytesRead < length) throw new Error("the file ends in the middle");
  return buffer;
}
