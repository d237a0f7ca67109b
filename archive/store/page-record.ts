import { createHmac, randomBytes } from "node:crypto";
import {
  closeSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import { archiveDamaged } from "./damage.ts";
import type { LogPosition } from "./write-ahead-log.ts";

/**
 * What each page of the database must look like: a digest a page, keyed, in a file beside it. libsql's encryption
 * has no authentication; this is it. The file is a chain of records:
 *
 *     "MPG1", octets of the body (uint32)
 *     body: salt of the log (8), frames of the log that are recorded (uint32), pages of the database (uint32),
 *           then page number (uint32) and digest (16) for each page that changed
 *     HMAC-SHA-256 over the record before and this one (32)
 *
 * then zeros: room that is written ahead, so that recording a commit can never fail for want of disk. A record that
 * does not hold ends the chain; whether it mattered shows when the pages are compared.
 */

export const digestSize = 16;
const magic = 0x3147_504d;
const room = 256 * 1024;

export interface RecordedPages {
  readonly salt: string;
  readonly frames: number;
  readonly pageCount: number;
  /** Digest by page number. */
  readonly digests: Map<number, Buffer>;
}

export function pageDigest(key: Uint8Array, page: number, image: Uint8Array): Buffer {
  const number = Buffer.alloc(4);
  number.writeUInt32LE(page);
  return createHmac("sha256", key).update(number).update(image).digest().subarray(0, digestSize);
}

/** @throws archive-damaged where not even the first record holds */
export function readPageRecord(file: string, key: Uint8Array): RecordedPages {
  const content = readFileSync(file);
  const digests = new Map<number, Buffer>();
  let last: { salt: string; frames: number; pageCount: number } | null = null;
  let chain = Buffer.alloc(32);
  for (let at = 0; at + 40 <= content.length;) {
    const length = content.readUInt32LE(at + 4);
    const end = at + 8 + length;
    if (content.readUInt32LE(at) !== magic || length < 16 || end + 32 > content.length) break;
    const mac = chained(key, chain, content.subarray(at, end));
    if (!mac.equals(content.subarray(end, end + 32))) break;
    const body = content.subarray(at + 8, end);
    last = {
      salt: body.toString("hex", 0, 8),
      frames: body.readUInt32LE(8),
      pageCount: body.readUInt32LE(12),
    };
    for (let entry = 16; entry + 4 + digestSize <= body.length; entry += 4 + digestSize) {
      digests.set(body.readUInt32LE(entry), Buffer.from(body.subarray(entry + 4, entry + 4 + digestSize)));
    }
    [chain, at] = [mac, end + 32];
  }
  if (!last) throw archiveDamaged();
  return { ...last, digests };
}

/** The record while the database is open. All of it is synchronous: no other work may come between commit and record. */
export interface PageRecord {
  /** Makes room to record a commit that changes every page; call it before the transaction. @throws ENOSPC */
  reserve(pageCount: number): void;
  append(position: LogPosition, pageCount: number, digests: ReadonlyMap<number, Buffer>): void;
  close(): void;
}

/** Replaces the file by one record of everything, so that it does not grow without end. */
export function writePageRecord(file: string, key: Uint8Array, pages: RecordedPages): PageRecord {
  const first = encode(pages, pages.pageCount, pages.digests);
  let chain = chained(key, Buffer.alloc(32), first);
  const temporary = `${file}.${randomBytes(4).toString("hex")}.part`;
  let descriptor: number;
  try {
    writeFileSync(temporary, Buffer.concat([first, chain, Buffer.alloc(room)]), { mode: 0o600, flag: "wx" });
    descriptor = openSync(temporary, "r+");
    fsyncSync(descriptor);
    renameSync(temporary, file);
    syncFolder(path.dirname(file));
  } catch (thrown) {
    rmSync(temporary, { force: true });
    throw thrown;
  }
  let end = first.length + chain.length;
  let size = fstatSync(descriptor).size;

  return {
    reserve(pageCount) {
      const needed = room / 2 + pageCount * (4 + digestSize);
      if (size - end >= needed) return;
      const more = Buffer.alloc(Math.max(room, needed));
      writeSync(descriptor, more, 0, more.length, size);
      fsyncSync(descriptor);
      size += more.length;
    },
    append(position, pageCount, digests) {
      const record = encode(position, pageCount, digests);
      const mac = chained(key, chain, record);
      const octets = Buffer.concat([record, mac]);
      writeSync(descriptor, octets, 0, octets.length, end);
      fsyncSync(descriptor);
      [chain, end] = [mac, end + octets.length];
      size = Math.max(size, end);
    },
    close() {
      closeSync(descriptor);
    },
  };
}

function encode(
  position: { salt: string; frames: number },
  pageCount: number,
  digests: ReadonlyMap<number, Buffer>,
): Buffer {
  const body = Buffer.alloc(16 + digests.size * (4 + digestSize));
  body.write(position.salt.padEnd(16, "0"), 0, "hex");
  body.writeUInt32LE(position.frames, 8);
  body.writeUInt32LE(pageCount, 12);
  let at = 16;
  for (const [page, digest] of digests) {
    body.writeUInt32LE(page, at);
    digest.copy(body, at + 4);
    at += 4 + digestSize;
  }
  const start = Buffer.alloc(8);
  start.writeUInt32LE(magic, 0);
  start.writeUInt32LE(body.length, 4);
  return Buffer.concat([start, body]);
}

function chained(key: Uint8Array, before: Buffer, record: Buffer): Buffer<ArrayBuffer> {
  return Buffer.from(createHmac("sha256", key).update(before).update(record).digest());
}

function syncFolder(folder: string): void {
  if (process.platform === "win32") return;
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
