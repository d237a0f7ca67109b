import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/**
 * SQLite's write-ahead log as the file format document has it (sqlite.org/fileformat2.html, section 4): which page
 * images would SQLite take from it? Those in frames up to the last commit whose salts and chained checksums hold.
 * libsql encrypts pages before they reach the log, and its checksums are over the encrypted octets.
 */

export const pageSize = 4096;
const headerSize = 32;
const frameSize = 24 + pageSize;

/** Where reading stopped; the next scan goes on from here. */
export interface LogPosition {
  /** Both salts as hex; a log that was begun anew has others. Empty: no log. */
  readonly salt: string;
  readonly frames: number;
  readonly checksum: readonly [number, number];
}

export interface LoggedPage {
  readonly page: number;
  /** Counted from 0. */
  readonly frame: number;
  readonly image: Uint8Array;
}

export interface LogScan {
  readonly position: LogPosition;
  /** In the order they were written; a page may come more than once. */
  readonly pages: readonly LoggedPage[];
  /** Pages of the database after the last commit; null where the log has none. */
  readonly pageCount: number | null;
}

export const noLog: LogPosition = { salt: "", frames: 0, checksum: [0, 0] };

/** The committed frames after `from`; all of them where the log was begun anew since. */
export function scanLog(file: string, from: LogPosition): LogScan {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code === "ENOENT")
      return { position: noLog, pages: [], pageCount: null };
    throw thrown;
  }
  try {
    return scan(descriptor, from);
  } finally {
    closeSync(descriptor);
  }
}

function scan(descriptor: number, from: LogPosition): LogScan {
  const start = readStart(descriptor);
  if (!start) return { position: noLog, pages: [], pageCount: null };
  const { bigEndian } = start;
  let position: LogPosition =
    start.salt === from.salt && from.frames > 0
      ? from
      : { salt: start.salt, frames: 0, checksum: start.checksum };
  const salts = Buffer.from(start.salt, "hex");
  const committed: LoggedPage[] = [];
  let open: LoggedPage[] = [];
  let pageCount: number | null = null;
  let { frames, checksum } = position;
  const { size } = fstatSync(descriptor);
  while (headerSize + (frames + 1) * frameSize <= size) {
    const frame = readAt(descriptor, frameSize, headerSize + frames * frameSize);
    const sum = addChecksum(frame.subarray(0, 8), checksum, bigEndian);
    checksum = addChecksum(frame.subarray(24), sum, bigEndian);
    const holds =
      frame.subarray(8, 16).equals(salts) &&
      checksum[0] === frame.readUInt32BE(16) &&
      checksum[1] === frame.readUInt32BE(20);
    if (!holds) break;
    open.push({ page: frame.readUInt32BE(0), frame: frames, image: frame.subarray(24) });
    frames += 1;
    const sizeAfterCommit = frame.readUInt32BE(4);
    if (sizeAfterCommit === 0) continue;
    committed.push(...open);
    open = [];
    pageCount = sizeAfterCommit;
    position = { salt: start.salt, frames, checksum };
  }
  return { position, pages: committed, pageCount };
}

/** Null where SQLite would not take the log at all. */
function readStart(descriptor: number) {
  const header = readAt(descriptor, headerSize, 0);
  if (header.length < headerSize) return null;
  const magic = header.readUInt32BE(0);
  if ((magic & 0xffff_fffe) >>> 0 !== 0x377f_0682 || header.readUInt32BE(8) !== pageSize) return null;
  const bigEndian = (magic & 1) === 1;
  const checksum = addChecksum(header.subarray(0, 24), [0, 0], bigEndian);
  if (checksum[0] !== header.readUInt32BE(24) || checksum[1] !== header.readUInt32BE(28)) return null;
  return { bigEndian, checksum, salt: header.toString("hex", 16, 24) };
}

function addChecksum(
  octets: Buffer,
  before: readonly [number, number],
  bigEndian: boolean,
): readonly [number, number] {
  let [a, b] = before;
  for (let at = 0; at < octets.length; at += 8) {
    a = (a + (bigEndian ? octets.readUInt32BE(at) : octets.readUInt32LE(at)) + b) >>> 0;
    b = (b + (bigEndian ? octets.readUInt32BE(at + 4) : octets.readUInt32LE(at + 4)) + a) >>> 0;
  }
  return [a, b];
}

function readAt(descriptor: number, length: number, position: number): Buffer {
  const octets = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const count = readSync(descriptor, octets, filled, length - filled, position + filled);
    if (count === 0) break;
    filled += count;
  }
  return octets.subarray(0, filled);
}
