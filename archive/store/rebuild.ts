import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../core/errors.ts";
import type { ByteSource } from "../byte-source.ts";
import type { InstanceHeader } from "../instance-header.ts";
import type { InstanceUid } from "../../core/study.ts";
import { answerIn, type Answers, answerStart } from "./answers.ts";
import type { Catalog } from "./catalog.ts";
import type { Changes, NewInstance } from "./changes.ts";
import { validRecords } from "./choose-variant.ts";
import { naming, syncFolder } from "./durable.ts";
import type { ObjectId, ObjectStore } from "./objects.ts";
import { largestBatch } from "./repair.ts";
import type { InstanceRow } from "./rows.ts";
import { variantIn, variantRow, variantStart, type Variants } from "./variants.ts";

/**
 * Everything in the index can be made again from the objects, each of which proves itself: a damaged index is set
 * aside and built anew, so that a bit that changed on disk does not cost the archive.
 */

export type ReadHeader = (source: ByteSource) => Promise<InstanceHeader>;

/** Stands while a rebuild is under way, so that one that was cut short goes on at the next start. */
const marker = "archive.rebuild";
export const damagedFolder = "damaged";
const indexFiles = ["archive.db", "archive.db-wal", "archive.db-shm", "archive.pages"];
const largestRecord = 64 * 1024 ** 2;
const chunkBytes = 1024 ** 2;

export function isRebuilding(folder: string): boolean {
  return existsSync(path.join(folder, marker));
}

/** The next start makes the index again. */
export async function markRebuilding(folder: string): Promise<void> {
  const handle = await open(path.join(folder, marker), "w", 0o600);
  await handle.sync();
  await handle.close();
}

/** Whether any object opens with this key: if none does, the key is the wrong one and nothing is touched. */
export async function keyFits(objects: ObjectStore): Promise<boolean> {
  let tried = 0;
  for await (const { id, part } of objects.list()) {
    if (part) continue;
    if (await opens(objects, id)) return true;
    tried += 1;
    if (tried === 16) return false;
  }
  return false;
}

/** Moves the damaged index to `damaged/`, where it may still help a specialist; an older one there is replaced. */
export async function setAsideIndex(folder: string): Promise<void> {
  await naming(async () => {
    await markRebuilding(folder);
    const aside = path.join(folder, damagedFolder);
    await rm(aside, { recursive: true, force: true });
    await mkdir(aside, { mode: 0o700 });
    for (const name of indexFiles) {
      if (existsSync(path.join(folder, name))) await rename(path.join(folder, name), path.join(aside, name));
    }
    await syncFolder(folder);
  });
}

export interface RebuildParts {
  readonly objects: ObjectStore;
  readonly catalog: Catalog;
  readonly changes: Changes;
  readonly answers: Answers;
  readonly variants: Variants;
}

/** What was made again, in words for the user. Objects that do not open are set aside. */
export async function rebuildIndex(
  folder: string,
  parts: RebuildParts,
  readHeader: ReadHeader,
): Promise<string> {
  const { objects, answers, catalog, variants } = parts;
  const sorted = await sortObjects(objects);
  const records = await readAll(objects, sorted.variant, variantIn);
  const valid = validRecords(records.found);
  await objects.remove(records.found.filter((one) => !valid.includes(one)).map(({ id }) => id));
  // Which of two files with one UID came first stands in the record of the second alone.
  const second = new Set(valid.map(({ value }) => value.object));
  const images = await addImages(parts, { ids: sorted.image.filter((id) => !second.has(id)), readHeader });
  variants.add(valid.map(({ id, value }) => ({ row: value, record: id })));
  const saved = await readAll(objects, sorted.answer, answerIn);
  const kept = saved.found.filter(({ value }) => catalog.findStudy(value.subject.studyInstanceUid));
  for (const { id, value } of kept) answers.adopt(value, id);
  await rm(path.join(folder, marker), { force: true });
  const unreadable = sorted.unreadable + records.unreadable + images.unreadable + saved.unreadable;
  const rest = unreadable > 0 ? ` ${unreadable} files are damaged too: import their studies again.` : "";
  return `The index was damaged and was made again from the stored files: ${images.count} images, ${kept.length} answers.${rest}`;
}

interface SortedObjects {
  readonly image: ObjectId[];
  readonly answer: ObjectId[];
  readonly variant: ObjectId[];
  unreadable: number;
}

/** Thumbnails are not kept: they are drawn again when they are asked for. */
async function sortObjects(objects: ObjectStore): Promise<SortedObjects> {
  const sorted: SortedObjects = { image: [], answer: [], variant: [], unreadable: 0 };
  for await (const { id, part } of objects.list()) {
    if (part) continue;
    const kind = await orSetAside(objects, id, async () => kindOf(await objects.open(id)));
    if (kind === null) sorted.unreadable += 1;
    else if (kind === "thumbnail") await objects.remove([id]);
    else sorted[kind].push(id);
  }
  return sorted;
}

async function readAll<T>(
  objects: ObjectStore,
  ids: readonly ObjectId[],
  read: (content: Uint8Array) => T | null,
): Promise<{ found: { id: ObjectId; value: T }[]; unreadable: number }> {
  const found: { id: ObjectId; value: T }[] = [];
  let unreadable = 0;
  for (const id of ids) {
    const content = await orSetAside(objects, id, async () => {
      const source = await objects.open(id);
      return source.read(0, Math.min(source.size, largestRecord));
    });
    const value = content && read(content);
    if (value) found.push({ id, value });
    else unreadable += 1;
  }
  return { found, unreadable };
}

async function addImages(
  parts: RebuildParts,
  images: { ids: readonly ObjectId[]; readHeader: ReadHeader },
): Promise<{ count: number; unreadable: number }> {
  const { objects, catalog, changes } = parts;
  let batch = new Map<InstanceUid, NewInstance>();
  let [count, unreadable] = [0, 0];
  const flush = () => {
    if (batch.size > 0) changes.addInstances([...batch.values()]);
    batch = new Map();
  };
  for (const id of images.ids) {
    const image = await orSetAside(objects, id, async () => {
      const source = await objects.open(id);
      const header = await images.readHeader(source);
      return { header, object: id, bytes: source.size, sha256: await digest(source) };
    });
    if (!image) {
      unreadable += 1;
      continue;
    }
    const uid = image.header.sopInstanceUid;
    const known = batch.get(uid) ?? catalog.findInstance(uid);
    // Known already where an earlier rebuild was cut short.
    if (!known) batch.set(uid, image);
    else if (known.sha256 !== image.sha256) {
      flush();
      await addSecond(parts, catalog.instance(uid), image);
      continue;
    }
    count += 1;
    if (batch.size >= largestBatch) flush();
  }
  flush();
  return { count, unreadable };
}

/** Another file with the UID of one, whose record is lost or was never written. */
async function addSecond(parts: RebuildParts, first: InstanceRow, second: NewInstance): Promise<void> {
  const { objects, variants } = parts;
  const row = variantRow(first, second, null);
  const record = await variants.stageRecord(row);
  await objects.publish([record]);
  const superfluous = variants.add([{ row, record }]);
  await objects.remove(superfluous.map((variant) => variant.record));
}

type Kind = "thumbnail" | "answer" | "variant" | "image";

async function kindOf(source: ByteSource): Promise<Kind> {
  const start = Buffer.from(await source.read(0, 32)).toString("latin1");
  if (start.startsWith("\x89PNG")) return "thumbnail";
  if (start.startsWith(answerStart)) return "answer";
  return start.startsWith(variantStart) ? "variant" : "image";
}

/** Null where the object does not open or is no image any more; it is kept under another ending then. */
async function orSetAside<T>(objects: ObjectStore, id: ObjectId, work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    await objects.setAside(id);
    return null;
  }
}

async function opens(objects: ObjectStore, id: string): Promise<boolean> {
  try {
    await objects.open(id);
    return true;
  } catch {
    return false;
  }
}

async function digest(source: ByteSource): Promise<string> {
  const hash = createHash("sha256");
  for (let at = 0; at < source.size; at += chunkBytes) hash.update(await source.read(at, chunkBytes));
  return hash.digest("hex");
}
