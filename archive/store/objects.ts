import { randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import type { ByteSource } from "../byte-source.ts";
import { objectKey } from "./derived-keys.ts";
import { naming, syncFolder } from "./durable.ts";
import {
  decodeHeader,
  encodeHeader,
  headerSize,
  objectDamaged,
  type ObjectIdentity,
  openSegment,
  sealSegment,
  segmentCount,
  segmentSize,
  storedSize,
  tagSize,
} from "./object-format.ts";
import { createSegmentCache, type SegmentCache } from "./segment-cache.ts";

/** 16 random octets as hex. */
export type ObjectId = string;

/** Where an object lies below the archive's folder, with forward slashes. */
export function objectFile(id: ObjectId): string {
  return `objects/${id.slice(0, 2)}/${id}.obj`;
}

const idForm = /^[0-9a-f]{32}$/;
const cachedSegments = 32;

/**
 * Encrypted files, written once: `objects/ab/abcd….obj`. An object is first `staged` (a `.part` file that nothing
 * refers to), then `published` together with others: synced, renamed, folders synced. Only then may a row name it.
 */
export interface ObjectStore {
  /** Writes exactly `size` octets. @throws disk-full, read-only, and what `content` throws; nothing stays then */
  stage(size: number, content: AsyncIterable<Uint8Array>): Promise<ObjectId>;
  publish(staged: readonly ObjectId[]): Promise<void>;
  discard(staged: readonly ObjectId[]): Promise<void>;
  /** @throws archive-damaged where it is missing or was changed; so does each read of the source */
  open(id: ObjectId): Promise<ByteSource>;
  /** The same, and nothing comes from memory: for who asks what is on the disk now. */
  openOnDisk(id: ObjectId): Promise<ByteSource>;
  remove(ids: readonly ObjectId[]): Promise<void>;
  /** Keeps a damaged file under another ending, where it is no object any more. */
  setAside(id: ObjectId): Promise<void>;
  removeSetAside(): Promise<void>;
  /** All on disk; `part` those that were staged when the process ended. */
  list(): AsyncGenerator<{ id: ObjectId; part: boolean }, void, void>;
}

export function createObjectStore(
  folder: string,
  key: Uint8Array,
  /** "passing": what need not survive the process is not synced. */
  lifetime: "durable" | "passing" = "durable",
): ObjectStore {
  const cache = createSegmentCache(cachedSegments);
  const identity = (id: ObjectId): ObjectIdentity => {
    const octets = Buffer.from(id, "hex");
    return { key: objectKey(key, octets), id: octets };
  };
  const shelf = (id: ObjectId) => path.join(folder, id.slice(0, 2));
  const published = (id: ObjectId) => path.join(shelf(id), `${id}.obj`);
  const part = (id: ObjectId) => path.join(shelf(id), `${id}.part`);

  async function stage(size: number, content: AsyncIterable<Uint8Array>): Promise<ObjectId> {
    const id = randomBytes(16).toString("hex");
    try {
      await naming(() => mkdir(shelf(id), { recursive: true, mode: 0o700 }));
      const handle = await naming(() => open(part(id), "wx", 0o600));
      try {
        await writeSegments({ handle, object: identity(id), size }, content);
      } finally {
        await handle.close();
      }
      return id;
    } catch (thrown) {
      await rm(part(id), { force: true }).catch(() => undefined);
      throw thrown;
    }
  }

  async function publish(staged: readonly ObjectId[]): Promise<void> {
    await naming(async () => {
      // The kernel joins syncs that run side by side into few journal commits.
      if (lifetime === "durable") await Promise.all(staged.map((id) => syncFile(part(id))));
      for (const id of staged) await rename(part(id), published(id));
      if (lifetime === "passing") return;
      const shelves = new Set(staged.map(shelf));
      await Promise.all([...shelves, folder].map(syncFolder));
    });
  }

  async function openObject(id: ObjectId, segments: SegmentCache): Promise<ByteSource> {
    if (!idForm.test(id)) throw objectDamaged();
    const object = identity(id);
    const file = published(id);
    const size = await reading(file, async (handle) => {
      const header = Buffer.alloc(headerSize);
      const { bytesRead } = await handle.read(header, 0, headerSize, 0);
      const plainSize = decodeHeader(object, header.subarray(0, bytesRead));
      if ((await handle.stat()).size !== storedSize(plainSize)) throw objectDamaged();
      return plainSize;
    });
    return {
      size,
      read: (offset, length) => readRange({ id, file, object, size, segments }, offset, length),
    };
  }

  async function readRange(
    target: { id: ObjectId; file: string; object: ObjectIdentity; size: number; segments: SegmentCache },
    offset: number,
    length: number,
  ): Promise<Uint8Array> {
    const end = Math.min(offset + length, target.size);
    if (offset < 0 || end <= offset) return new Uint8Array();
    const out = new Uint8Array(end - offset);
    const count = segmentCount(target.size);
    await reading(target.file, async (handle) => {
      for (let index = Math.floor(offset / segmentSize); index * segmentSize < end; index += 1) {
        const start = index * segmentSize;
        let plain = target.segments.get(target.id, index);
        if (!plain) {
          const plainLength = Math.min(segmentSize, target.size - start);
          const stored = await readExactly(
            handle,
            plainLength + tagSize,
            headerSize + index * (segmentSize + tagSize),
          );
          plain = openSegment(target.object, { index, count }, stored);
          target.segments.set(target.id, index, plain);
        }
        const from = Math.max(offset, start);
        out.set(plain.subarray(from - start, Math.min(end - start, plain.length)), from - offset);
      }
    });
    return out;
  }

  async function remove(ids: readonly ObjectId[]): Promise<void> {
    await naming(async () => {
      for (const id of ids) {
        cache.forget(id);
        await rm(published(id), { force: true });
      }
    });
  }

  async function discard(staged: readonly ObjectId[]): Promise<void> {
    for (const id of staged) await rm(part(id), { force: true });
  }

  async function* list(): AsyncGenerator<{ id: ObjectId; part: boolean }, void, void> {
    for (const name of await namesIn(folder)) {
      for (const file of await namesIn(path.join(folder, name))) {
        const [id = "", ending] = file.split(".");
        if (idForm.test(id) && ending !== "damaged") yield { id, part: ending === "part" };
      }
    }
  }

  async function setAside(id: ObjectId): Promise<void> {
    cache.forget(id);
    await naming(() => rename(published(id), path.join(shelf(id), `${id}.damaged`)));
  }

  async function removeSetAside(): Promise<void> {
    for (const name of await namesIn(folder)) {
      const files = await namesIn(path.join(folder, name));
      for (const file of files.filter((one) => one.endsWith(".damaged"))) {
        await naming(() => rm(path.join(folder, name, file), { force: true }));
      }
    }
  }

  return {
    stage,
    publish,
    discard,
    open: (id) => openObject(id, cache),
    openOnDisk: (id) => openObject(id, createSegmentCache(0)),
    remove,
    setAside,
    removeSetAside,
    list,
  };
}

async function writeSegments(
  target: { handle: FileHandle; object: ObjectIdentity; size: number },
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { handle, object, size } = target;
  const count = segmentCount(size);
  const segment = Buffer.alloc(Math.min(segmentSize, size));
  let [index, filled, written] = [0, 0, 0];
  const write = (octets: Uint8Array) => naming(() => handle.writeFile(octets));
  await write(encodeHeader(object, size));
  for await (const chunk of content) {
    for (let at = 0; at < chunk.length;) {
      if (written >= size) throw sizeChanged();
      const taken = Math.min(chunk.length - at, segment.length - filled, size - written);
      segment.set(chunk.subarray(at, at + taken), filled);
      [at, filled, written] = [at + taken, filled + taken, written + taken];
      if (filled === segment.length || written === size) {
        await write(sealSegment(object, { index, count }, segment.subarray(0, filled)));
        [index, filled] = [index + 1, 0];
      }
    }
  }
  if (written !== size) throw sizeChanged();
}

/** Not an AppError: whoever reads the content knows what it was and names it. */
function sizeChanged(): Error {
  return new RangeError("The content has another size than was said.");
}

async function reading<T>(file: string, work: (handle: FileHandle) => Promise<T>): Promise<T> {
  let handle: FileHandle;
  try {
    handle = await open(file, "r");
  } catch (thrown) {
    throw (thrown as { code?: unknown }).code === "ENOENT" ? objectDamaged(thrown) : thrown;
  }
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}

async function readExactly(handle: FileHandle, length: number, position: number): Promise<Buffer> {
  const octets = Buffer.alloc(length);
  for (let filled = 0; filled < length;) {
    const { bytesRead } = await handle.read(octets, filled, length - filled, position + filled);
    if (bytesRead === 0) throw objectDamaged();
    filled += bytesRead;
  }
  return octets;
}

async function syncFile(file: string): Promise<void> {
  const handle = await open(file, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (thrown) {
    const code = (thrown as { code?: unknown }).code;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw thrown;
  }
}
