import { createHash, type Hash } from "node:crypto";
import { AppError, appError, throwIfAborted } from "../../core/errors.ts";
import type { SeriesUid, StudyUid } from "../../core/study.ts";
import type { FileDifference, Variant } from "../../core/variant.ts";
import type { ByteSource } from "../byte-source.ts";
import type { InstanceHeader } from "../instance-header.ts";
import type { ArchiveStore } from "../store/archive-store.ts";
import type { NewInstance } from "../store/changes.ts";
import type { ObjectId, ObjectStore } from "../store/objects.ts";
import type { InstanceRow } from "../store/rows.ts";
import { largestBatch } from "../store/repair.ts";
import { type NewVariant, publicVariant, variantRow } from "../store/variants.ts";

/** A file whose header has been read. */
export interface Incoming {
  readonly name: string;
  readonly header: InstanceHeader;
  readonly source: ByteSource;
}

export interface Committed {
  readonly imported: number;
  /** Those that another import brought meanwhile. */
  readonly duplicates: number;
  readonly conflicts: readonly { name: string; variant: Variant }[];
}

/**
 * Instances on their way into the archive: staged one by one, made durable together (the sync of many files costs
 * little more than that of one), and only then named by rows.
 */
export interface Batch {
  /**
   * The study that the file belongs to now; `duplicate`: its content is there already.
   * @throws dicom-damaged where the header contradicts the archive, and what reading and storing throw
   */
  add(file: Incoming, signal: AbortSignal): Promise<{ duplicate: boolean; study: StudyUid }>;
  readonly isFull: boolean;
  /** What is in the archive since the last call. */
  commit(): Promise<Committed>;
  /** Gives up what is not committed. */
  discard(): Promise<void>;
}

/** @throws what reading the files throws */
export type Compare = (
  files: { first: ByteSource; second: ByteSource },
  signal: AbortSignal,
) => Promise<FileDifference>;

const largestBytes = 256 * 1024 ** 2;
const chunkBytes = 1024 ** 2;
const nothing: Committed = { imported: 0, duplicates: 0, conflicts: [] };

export function createBatch(store: ArchiveStore, compare: Compare): Batch {
  const { catalog, changes, objects, variants } = store;
  let staged: NewInstance[] = [];
  let replaced: { row: InstanceRow; object: ObjectId }[] = [];
  let second: (NewVariant & { name: string })[] = [];
  let committed: Committed = nothing;

  /** The study that a series belongs to already. */
  function studyOf(series: SeriesUid): StudyUid | null {
    const pending = staged.find((instance) => instance.header.seriesInstanceUid === series);
    return pending?.header.studyInstanceUid ?? catalog.findSeries(series)?.studyInstanceUid ?? null;
  }

  async function add(file: Incoming, signal: AbortSignal) {
    const { header, source } = file;
    const uid = header.sopInstanceUid;
    const pending = staged.find((instance) => instance.header.sopInstanceUid === uid);
    if (pending) {
      const study = pending.header.studyInstanceUid;
      if ((await digest(source, signal)) === pending.sha256) return { duplicate: true, study };
      // The first must be in the archive before another can be compared with it.
      await write();
    }
    const known = catalog.findInstance(uid);
    if (known) return { duplicate: await addKnown(known, file, signal), study: known.studyInstanceUid };
    const study = studyOf(header.seriesInstanceUid) ?? header.studyInstanceUid;
    if (study !== header.studyInstanceUid) {
      throw appError("dicom-damaged", "This file's series belongs to another study in the archive.");
    }
    staged.push(await stageCopy(file, signal));
    return { duplicate: false, study };
  }

  /** True where there is nothing to do. */
  async function addKnown(known: InstanceRow, file: Incoming, signal: AbortSignal): Promise<boolean> {
    const sha256 = await digest(file.source, signal);
    if (sha256 === known.sha256) {
      if (await isWhole(objects, known.object, signal)) return true;
      const { object } = await stageCopy(file, signal);
      replaced.push({ row: known, object });
      return false;
    }
    const others = [...variants.ofInstance(known.sopInstanceUid), ...second.map(({ row }) => row)];
    if (others.some((row) => row.sopInstanceUid === known.sopInstanceUid && row.sha256 === sha256)) {
      return true;
    }
    const difference = await compared(known, file, signal);
    const copy = await stageCopy(file, signal);
    const row = variantRow(known, copy, difference);
    try {
      second.push({ name: file.name, row, record: await variants.stageRecord(row) });
    } catch (thrown) {
      await objects.discard([copy.object]);
      throw thrown;
    }
    return false;
  }

  /** Null where they cannot be compared, as when the first is damaged: that must not keep the second one out. */
  async function compared(first: InstanceRow, file: Incoming, signal: AbortSignal) {
    try {
      return await compare({ first: await objects.open(first.object), second: file.source }, signal);
    } catch (thrown) {
      if (thrown instanceof AppError && thrown.code !== "cancelled") return null;
      throw thrown;
    }
  }

  async function stageCopy({ header, source }: Incoming, signal: AbortSignal): Promise<NewInstance> {
    const hash = createHash("sha256");
    const object = await objects.stage(source.size, octetsOf(source, hash, signal));
    const importedAt = new Date().toISOString();
    return { header, object, bytes: source.size, sha256: hash.digest("hex"), importedAt };
  }

  async function write(): Promise<void> {
    const [ready, repaired, differing] = [staged, replaced, second];
    if (ready.length + repaired.length + differing.length === 0) return;
    await objects.publish([
      ...[...ready, ...repaired].map(({ object }) => object),
      ...differing.flatMap(({ row, record }) => [row.object, record]),
    ]);
    // Another import may have brought the same image since it was staged.
    const added = ready.filter(({ header }) => !catalog.findInstance(header.sopInstanceUid));
    const superfluous = ready.filter((instance) => !added.includes(instance));
    if (added.length > 0) changes.addInstances(added);
    staged = [];
    const known = differing.length > 0 ? variants.add(differing) : [];
    second = [];
    if (repaired.length > 0) await changes.replaceObjects(repaired);
    replaced = [];
    const kept = differing.filter((variant) => !known.includes(variant));
    committed = {
      imported: committed.imported + added.length + repaired.length,
      duplicates: committed.duplicates + superfluous.length + known.length,
      conflicts: [
        ...committed.conflicts,
        ...kept.map(({ name, row }) => ({ name, variant: publicVariant(row) })),
      ],
    };
    await objects.remove([
      ...superfluous.map(({ object }) => object),
      ...known.flatMap(({ row, record }) => [row.object, record]),
    ]);
  }

  async function discard(): Promise<void> {
    // A commit that failed late may have written the rows all the same; what they name stays.
    const images = [
      ...staged.splice(0).map(({ header, object }) => ({ uid: header.sopInstanceUid, object })),
      ...replaced.splice(0).map(({ row, object }) => ({ uid: row.sopInstanceUid, object })),
    ].filter(({ uid, object }) => catalog.findInstance(uid)?.object !== object);
    const others = second
      .splice(0)
      .filter(({ row }) => !variants.ofInstance(row.sopInstanceUid).some(({ id }) => id === row.id));
    const unnamed = [
      ...images.map(({ object }) => object),
      ...others.flatMap(({ row, record }) => [row.object, record]),
    ];
    await objects.discard(unnamed);
    await objects.remove(unnamed);
  }

  return {
    add,
    get isFull() {
      const bytes = [...staged, ...second.map(({ row }) => row)].reduce((sum, one) => sum + one.bytes, 0);
      const files = staged.length + replaced.length + 2 * second.length;
      return files >= largestBatch / 2 || bytes >= largestBytes;
    },
    async commit() {
      await write();
      const done = committed;
      committed = nothing;
      return done;
    },
    discard,
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
    const stored = await objects.openOnDisk(id);
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
