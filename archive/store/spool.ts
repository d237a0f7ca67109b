import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { appError } from "../../core/errors.ts";
import type { ByteSource } from "../byte-source.ts";
import { createObjectStore, type ObjectId, type ObjectStore } from "./objects.ts";

/**
 * Octets on their way in (uploads, ZIP entries): in memory while small, beyond that as encrypted objects in the
 * spool folder, under a key that is never stored, so that nothing readable is on disk, also after a crash.
 */
export interface SpoolFolder {
  create(): Spool;
  /** Removes what an earlier process left. */
  clear(): Promise<void>;
}

export interface Spool {
  readonly size: number;
  /** @throws too-large beyond `largestSpool`, disk-full, read-only */
  append(chunk: Uint8Array): Promise<void>;
  /** All that was appended; valid until `discard`. */
  source(): Promise<ByteSource>;
  discard(): Promise<void>;
}

export const largestSpool = 16 * 1024 ** 3;

/** What one spool, and all together, keep in memory. */
const spoolMemory = 8 * 1024 ** 2;
const allMemory = 64 * 1024 ** 2;

export function createSpoolFolder(folder: string): SpoolFolder {
  const objects = createObjectStore(folder, randomBytes(32), "passing");
  const memory = { inUse: 0 };
  return {
    create: () => createSpool(objects, memory),
    clear: () => rm(folder, { recursive: true, force: true }),
  };
}

function createSpool(objects: ObjectStore, memory: { inUse: number }): Spool {
  const stored: { id: ObjectId; start: number; size: number }[] = [];
  let tail: Uint8Array[] = [];
  let tailStart = 0;
  let size = 0;

  function dropTail(): void {
    memory.inUse -= size - tailStart;
    tail = [];
    tailStart = size;
  }

  async function flush(): Promise<void> {
    const part = { start: tailStart, size: size - tailStart };
    const id = await objects.stage(part.size, fromArray(tail));
    await objects.publish([id]);
    stored.push({ id, ...part });
    dropTail();
  }

  return {
    get size() {
      return size;
    },
    async append(chunk) {
      if (size + chunk.length > largestSpool) throw appError("too-large", "This file is larger than 16 GB.");
      tail.push(chunk);
      size += chunk.length;
      memory.inUse += chunk.length;
      if (size - tailStart >= spoolMemory || memory.inUse > allMemory) await flush();
    },
    async source() {
      const parts: SpoolPart[] = [];
      for (const { id, start } of stored) parts.push({ start, source: await objects.open(id) });
      const rest = Buffer.concat(tail);
      parts.push({
        start: tailStart,
        source: { size: rest.length, read: async (offset, length) => rest.subarray(offset, offset + length) },
      });
      return { size, read: (offset, length) => readParts(parts, offset, length) };
    },
    async discard() {
      dropTail();
      await objects.remove(stored.splice(0).map(({ id }) => id));
    },
  };
}

interface SpoolPart {
  readonly start: number;
  readonly source: ByteSource;
}

async function readParts(parts: readonly SpoolPart[], offset: number, length: number): Promise<Uint8Array> {
  const last = parts.at(-1)!;
  const end = Math.min(offset + length, last.start + last.source.size);
  if (offset < 0 || end <= offset) return new Uint8Array();
  const out = new Uint8Array(end - offset);
  for (const { start, source } of parts) {
    const from = Math.max(offset, start);
    const to = Math.min(end, start + source.size);
    if (from < to) out.set(await source.read(from - start, to - from), from - offset);
  }
  return out;
}

async function* fromArray(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
