import { createHash } from "node:crypto";
import type { ArchiveProblem, CheckEvent } from "../../core/maintenance.ts";
import { AppError, throwIfAborted } from "../../core/errors.ts";
import type { StudyUid } from "../../core/study.ts";
import type { Catalog } from "./catalog.ts";
import type { Changes } from "./changes.ts";
import type { Database } from "./database.ts";
import type { ObjectId, ObjectStore } from "./objects.ts";
import { namedObjects } from "./repair.ts";
import type { InstanceRow, VariantRow } from "./rows.ts";
import { octets, type SealedTables } from "./sealed-tables.ts";

export interface CheckedParts {
  readonly database: Database;
  readonly tables: SealedTables;
  readonly objects: ObjectStore;
  readonly catalog: Catalog;
  readonly changes: Changes;
}

interface Item {
  readonly object: ObjectId;
  /** Null for what is no imported file. */
  readonly sha256: string | null;
  readonly what: "image" | "answer" | "note";
}

const chunkBytes = 1024 ** 2;
const progressEvery = 16;

/**
 * Reads everything that the archive holds and compares it with what was written: each page of the index, each row,
 * each stored file with the digest that it had when it was imported. Changes nothing; other work may go on.
 * @throws cancelled
 */
export async function* checkArchive(
  parts: CheckedParts,
  signal: AbortSignal,
): AsyncGenerator<CheckEvent, void, void> {
  const { database, catalog, changes, objects } = parts;
  // A study that is deleted meanwhile must not look like one whose files are missing.
  const release = changes.holdFiles();
  try {
    const suspects = await unnamedFiles(parts, null);
    const studies = catalog.studies("");
    const total = countFiles(database);
    const counts = { images: 0, variants: 0, answers: 0, bytes: 0, problems: 0 };
    const found = (problem: ArchiveProblem): CheckEvent => {
      counts.problems += 1;
      return { type: "problem", problem };
    };
    let done = 0;
    yield { type: "progress", done, total };
    for (const problem of named(() => database.verify(), null)) yield found(problem);
    for (const { studyInstanceUid } of studies) {
      // Deleted since the list was read.
      if (!catalog.findStudy(studyInstanceUid)) continue;
      const { items, problems } = itemsOf(parts, { study: studyInstanceUid, counts });
      for (const problem of problems) yield found(problem);
      for (const item of items) {
        throwIfAborted(signal);
        const { bytes, kind } = await readItem(objects, item, signal);
        counts.bytes += bytes;
        done += 1;
        if (kind) yield found(fileProblem(item, kind, studyInstanceUid));
        if (done % progressEvery === 0) yield { type: "progress", done, total: Math.max(done, total) };
      }
    }
    const unnamed = await unnamedFiles(parts, suspects);
    if (unnamed.size > 0) yield found(unnamedProblem(unnamed.size));
    yield { type: "progress", done, total: done };
    yield { type: "done", studies: studies.length, ...counts };
  } finally {
    await release();
  }
}

/** Thumbnails are left out: a damaged one is drawn again. */
function countFiles(database: Database): number {
  const tables = ["instances", "answers", "variants", "variants"];
  const counts = tables.map((table) => `(SELECT count(*) FROM ${table})`);
  return Number(database.all(`SELECT ${counts.join(" + ")} AS total`)[0]!["total"]);
}

/** The files of a study, as its rows name them; what cannot be read of the rows is a problem. */
function itemsOf(
  { database, tables, catalog }: CheckedParts,
  of: { study: StudyUid; counts: { images: number; variants: number; answers: number } },
): { items: Item[]; problems: ArchiveProblem[] } {
  const items: Item[] = [];
  const work = () => {
    for (const { seriesInstanceUid } of catalog.series(of.study)) {
      const series = octets(seriesInstanceUid);
      const images = tables.select("instances", { series: seriesInstanceUid }) as InstanceRow[];
      const variants = tables.select("variants", { series: seriesInstanceUid }) as VariantRow[];
      of.counts.images += images.length;
      of.counts.variants += variants.length;
      for (const { object, sha256 } of [...images, ...variants])
        items.push({ object, sha256, what: "image" });
      const notes = objectsOf(database, "SELECT record AS object FROM variants WHERE series = ?", series);
      items.push(...notes.map((object) => ({ object, sha256: null, what: "note" as const })));
    }
    of.counts.answers += tables.select("answers", { study: of.study }).length;
    const answers = objectsOf(database, "SELECT object FROM answers WHERE study = ?", octets(of.study));
    items.push(...answers.map((object) => ({ object, sha256: null, what: "answer" as const })));
  };
  const problems = named(work, of.study);
  return { problems, items };
}

function objectsOf(database: Database, sql: string, key: Buffer): ObjectId[] {
  return database.all(sql, key).map((row) => (row["object"] as Buffer).toString("hex"));
}

async function readItem(
  objects: ObjectStore,
  item: Item,
  signal: AbortSignal,
): Promise<{ bytes: number; kind: "file-damaged" | "file-missing" | null }> {
  let bytes = 0;
  try {
    const source = await objects.openOnDisk(item.object);
    const hash = createHash("sha256");
    for (let at = 0; at < source.size; at += chunkBytes) {
      throwIfAborted(signal);
      const chunk = await source.read(at, chunkBytes);
      hash.update(chunk);
      bytes += chunk.length;
    }
    const same = item.sha256 === null || hash.digest("hex") === item.sha256;
    return { bytes, kind: same ? null : "file-damaged" };
  } catch (thrown) {
    if (!(thrown instanceof AppError) || thrown.code !== "archive-damaged") throw thrown;
    const missing = (thrown.cause as { code?: unknown } | undefined)?.code === "ENOENT";
    return { bytes, kind: missing ? "file-missing" : "file-damaged" };
  }
}

/**
 * Stored files that no row names, of `among` where that is given: an import that is under way puts its files there a
 * moment before their rows, so that only those count which are unnamed at the start and at the end.
 */
async function unnamedFiles(
  { objects, database }: CheckedParts,
  among: ReadonlySet<ObjectId> | null,
): Promise<Set<ObjectId>> {
  const present: ObjectId[] = [];
  for await (const { id, part } of objects.list()) if (!part && (among?.has(id) ?? true)) present.push(id);
  const known = namedObjects(database);
  for (const row of database.all("SELECT object FROM doomed")) {
    known.add((row["object"] as Buffer).toString("hex"));
  }
  return new Set(present.filter((id) => !known.has(id)));
}

/** The problem that the work met, if any. */
function named(work: () => unknown, study: StudyUid | null): ArchiveProblem[] {
  try {
    work();
    return [];
  } catch (thrown) {
    if (!(thrown instanceof AppError) || thrown.code !== "archive-damaged") throw thrown;
    const message =
      "The index is damaged. Close the app and start it again: it is made again from the files.";
    return [{ kind: "index-damaged", studyInstanceUid: study, message }];
  }
}

const fileWords: Readonly<Record<Item["what"], { name: string; advice: string }>> = {
  image: { name: "A stored file", advice: "Import the study again, or restore a backup." },
  answer: { name: "The second copy of an answer", advice: "The answer itself can be read." },
  note: { name: "The second copy of a note", advice: "The file that it is about can be read." },
};

function fileProblem(item: Item, kind: "file-damaged" | "file-missing", study: StudyUid): ArchiveProblem {
  const { name, advice } = fileWords[item.what];
  const state = kind === "file-missing" ? "missing" : "damaged";
  return { kind, studyInstanceUid: study, message: `${name} of this study is ${state}. ${advice}` };
}

function unnamedProblem(count: number): ArchiveProblem {
  const files = count === 1 ? "1 stored file has" : `${count} stored files have`;
  return {
    kind: "file-unnamed",
    studyInstanceUid: null,
    message: `${files} no entry in the index. The next start of the app sees to it.`,
  };
}
