import { createHash, type Hash } from "node:crypto";
import { AppError, appError, throwIfAborted } from "../../core/errors.ts";
import type { InstanceUid, SeriesUid, StudyUid } from "../../core/study.ts";
import type { ByteSource } from "../byte-source.ts";
import type { InstanceHeader } from "../instance-header.ts";
import type { ArchiveStore } from "../store/archive-store.ts";
import type { NewInstance } from "../store/changes.ts";
import type { ObjectId, ObjectStore } from "../store/objects.ts";
import type { InstanceRow } from "../store/rows.ts";
import { largestBatch } from "../store/repair.ts";

export type Added = "staged" | "duplicate" | "conflict";

/**
 * Instances on their way into the archive: staged one by one, made durable together (the sync of many files costs
 * little more than that of one), and only then named by rows.
 */
export interface Batch {
  /** @throws dicom-damaged where the header contradicts the archive, and what reading and storing throw */
  add(header: InstanceHeader, source: ByteSource, signal: AbortSignal): Promise<Added>;
  readonly isFull: boolean;
  /** How many are in the archive now, and how many another import brought meanwhile. */
  commit(): Promise<{ added: number; duplicates: number }>;
  /** Gives up what is not committed. */
  discard(): Promise<void>;
}

const largestBytes = 256 * 1024 ** 2;
const chunkBytes = 1024 ** 2;

export function createBatch({ catalog, changes, objects }: ArchiveStore): Batch {
  let staged: NewInstance[] = [];
  let replaced: { row: InstanceRow; object: ObjectId }[] = [];
  const find = (uid: InstanceUid) =>
    staged.find((instance) => instance.header.sopInstanceUid === uid) ?? catalog.findInstance(uid);

  /** The study that a series belongs to already. */
  function studyOf(series: SeriesUid): StudyUid | null {
    const pending = staged.find((instance) => instance.header.seriesInstanceUid === series);
    return pending?.header.studyInstanceUid ?? catalog.findSeries(series)?.studyInstanceUid ?? null;
  }

  async function add(header: InstanceHeader, source: ByteSource, signal: AbortSignal): Promise<Added> {
    const known = find(header.sopInstanceUid);
    if (known && (await digest(source, signal)) !== known.sha256) return "conflict";
    if (known) {
      if ("header" in known || (await isWhole(objects, known.object, signal))) return "duplicate";
      replaced.push({ row: known, object: await stageCopy(source, createHash("sha256"), signal) });
      return "staged";
    }
    const study = studyOf(header.seriesInstanceUid);
    if (study !== null && study !== header.studyInstanceUid) {
      throw appError("dicom-damaged", "This file's series belongs to another study in the archive.");
    }
    const hash = createHash("sha256");
    const object = await stageCopy(source, hash, signal);
    staged.push({ header, object, bytes: source.size, sha256: hash.digest("hex") });
    return "staged";
  }

  function stageCopy(source: ByteSource, hash: Hash, signal: AbortSignal): Promise<ObjectId> {
    return objects.stage(source.size, octetsOf(source, hash, signal));
  }

  async function commit() {
    const [ready, repaired] = [staged, replaced];
    if (ready.length + repaired.length === 0) return { added: 0, duplicates: 0 };
    await objects.publish([...ready, ...repaired].map(({ object }) => object));
    // Another import may have brought the same image since it was staged.
    const added = ready.filter(({ header }) => !catalog.findInstance(header.sopInstanceUid));
    const superfluous = ready.filter((instance) => !added.includes(instance));
    if (added.length > 0) changes.addInstances(added);
    staged = [];
    if (repaired.length > 0) await changes.replaceObjects(repaired);
    replaced = [];
    await objects.remove(superfluous.map(({ object }) => object));
    return { added: added.length + repaired.length, duplicates: superfluous.length };
  }

  return {
    add,
    get isFull() {
      const bytes = staged.reduce((sum, instance) => sum + instance.bytes, 0);
      return staged.length + replaced.length >= largestBatch / 2 || bytes >= largestBytes;
    },
    commit,
    async discard() {
      const given = [
        ...staged.splice(0),
        ...replaced.splice(0).map(({ row, object }) => ({ header: row, object })),
      ];
      await objects.discard(given.map(({ object }) => object));
      // A commit that failed late may have written the rows all the same; what they name stays.
      const unnamed = given.filter(
        ({ header, object }) => catalog.findInstance(header.sopInstanceUid)?.object !== object,
      );
      await objects.remove(unnamed.map(({ object }) => object));
    },
  };
}

async function* octetsOf(source: ByteSource, hash: Hash, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < source.size;) {
    throwIfAborted(signal);
    const chunk = await source.read(at, Math.min(chunkBytes, source.size - at));
    if (chunk.length === 0) throw appError("bad-input", "The file became shorter while it was read.");
    hash.update(chunk);
    yield chunk;
    at += chunk.length;
  }
}

/** Whether the stored copy still is what was written; a duplicate of one that is not takes its place. */
async function isWhole(objects: ObjectStore, id: ObjectId, signal: AbortSignal): Promise<boolean> {
  try {
    const stored = await objects.open(id);
    for (let at = 0; at < stored.size; at += chunkBytes) {
      throwIfAborted(signal);
      await stored.read(at, chunkBytes);
    }
    return true;
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === "archive-damaged") return false;
    throw thrown;
  }
}

async function digest(source: ByteSource, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const _ of octetsOf(source, hash, signal));
  return hash.digest("hex");
}
