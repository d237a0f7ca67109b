import { mkdir, readdir } from "node:fs/promises";
import path from "node:path";
import type { ArchiveHealth } from "../../core/archive-events.ts";
import { AppError, appError } from "../../core/errors.ts";
import { fileSystemError } from "../../core/file-errors.ts";
import type { BackupEvent, CheckEvent } from "../../core/maintenance.ts";
import type { StudyUid } from "../../core/study.ts";
import { type Answers, createAnswers } from "./answers.ts";
import { backUp, type BackupParts } from "./back-up.ts";
import { type Catalog, createCatalog } from "./catalog.ts";
import { type Changes, createChanges } from "./changes.ts";
import { checkArchive, type CheckedParts } from "./check-archive.ts";
import { chooseVariant, type ChooseParts, type ChooseTools } from "./choose-variant.ts";
import { type Database, type DatabaseOptions, openDatabase } from "./database.ts";
import { deleteStudy } from "./delete-study.ts";
import { deriveKeys } from "./derived-keys.ts";
import { createImportJournal, type ImportJournal } from "./import-journal.ts";
import type { Migration } from "./migrations/all.ts";
import { createObjectStore, type ObjectStore } from "./objects.ts";
import { takeOwnerLock } from "./owner-lock.ts";
import { isRebuilding, keyFits, type ReadHeader, rebuildIndex, setAsideIndex } from "./rebuild.ts";
import { repair } from "./repair.ts";
import type { StudyRow } from "./rows.ts";
import { createSealedTables, type SealedTables } from "./sealed-tables.ts";
import { createSpoolFolder, type SpoolFolder } from "./spool.ts";
import { createVariants, type Variants } from "./variants.ts";

/** An open archive: the data folder, with its keys. One at a time, in one process. */
export interface ArchiveStore {
  readonly catalog: Catalog;
  readonly changes: Changes;
  readonly answers: Answers;
  readonly variants: Variants;
  readonly journal: ImportJournal;
  readonly objects: ObjectStore;
  readonly spools: SpoolFolder;
  health(): ArchiveHealth;
  /** Reads everything and compares it with what was written. @throws cancelled */
  check(signal: AbortSignal): AsyncGenerator<CheckEvent, void, void>;
  /** Copies the archive as it is now. @throws bad-input where `target` is not empty, disk-full, read-only, cancelled */
  backUp(target: string, signal: AbortSignal): AsyncGenerator<BackupEvent, void, void>;
  /** Shows another of the files with one UID. @throws not-found, bad-input, archive-damaged, disk-full, read-only */
  chooseVariant(id: string, tools: ChooseTools): Promise<void>;
  /** With everything that was made from it. @throws study-not-found */
  deleteStudy(study: StudyUid): Promise<void>;
  close(): Promise<void>;
}

export interface ArchiveOptions {
  readonly dataFolder: string;
  readonly dataKey: Uint8Array;
  /** For making a damaged index again from the stored files. */
  readonly readHeader: ReadHeader;
  /** Other than the app's own: for tests, and for making archives of older versions. */
  readonly migrations?: readonly Migration[];
}

/**
 * Opens the archive in `dataFolder`, or makes it. Everything that libsql is going to read is compared with what was
 * written first; a damaged index is made again from the objects.
 * @throws archive-in-use, archive-damaged (also where the key is another's), archive-too-new, disk-full, read-only
 */
export async function openArchiveStore(options: ArchiveOptions): Promise<ArchiveStore> {
  const { dataFolder } = options;
  const keys = deriveKeys(options.dataKey);
  const objectsFolder = path.join(dataFolder, "objects");
  await makeFolder(objectsFolder);
  const lock = takeOwnerLock(dataFolder);
  let database: Database | null = null;
  try {
    const spools = createSpoolFolder(path.join(dataFolder, "spool"));
    await spools.clear();
    const objects = createObjectStore(objectsFolder, keys.objects);
    const { migrations } = options;
    database = await openOrSetAside({
      objectsFolder,
      objects,
      index: {
        folder: dataFolder,
        databaseKey: keys.database,
        pagesKey: keys.pages,
        ...(migrations ? { migrations } : {}),
      },
    });
    const tables = createSealedTables(database, keys.rows);
    const catalog = createCatalog(tables);
    const changes = createChanges({ database, tables, objects, catalog });
    const answers = createAnswers({ database, tables, objects, catalog, changes });
    const variants = createVariants({ database, tables, objects, catalog });
    const journal = createImportJournal(database, tables);
    const repairs: string[] = [];
    if (isRebuilding(dataFolder)) {
      const parts = { objects, catalog, changes, answers, variants };
      repairs.push(await rebuildIndex(dataFolder, parts, options.readHeader));
    }
    repairs.push(...(await repair({ database, objects, changes })));
    const opened = { catalog, changes, answers, variants, journal, objects, spools };
    const inner = { ...opened, dataFolder, key: keys.backup, tables, database };
    return { ...opened, ...upkeepOf(inner), ...lifeOf({ tables, database, spools, repairs, lock }) };
  } catch (thrown) {
    database?.close();
    lock.release();
    throw thrown;
  }
}

async function openOrSetAside(parts: {
  objectsFolder: string;
  objects: ObjectStore;
  index: Omit<DatabaseOptions, "mayBeUnfinished">;
}): Promise<Database> {
  const { objectsFolder, objects, index } = parts;
  try {
    // Files without a record are what a first start leaves that was cut short, or a rebuild.
    const mayBeUnfinished = isRebuilding(index.folder) || (await readdir(objectsFolder)).length === 0;
    return openDatabase({ ...index, mayBeUnfinished });
  } catch (thrown) {
    const damaged = thrown instanceof AppError && thrown.code === "archive-damaged";
    if (!damaged || !(await keyFits(objects))) throw thrown;
    await setAsideIndex(index.folder);
    return openDatabase({ ...index, mayBeUnfinished: true });
  }
}

type Inner = BackupParts & CheckedParts & ChooseParts;

function upkeepOf(inner: Inner): Pick<ArchiveStore, "check" | "backUp" | "chooseVariant" | "deleteStudy"> {
  return {
    check: (signal) => checkArchive(inner, signal),
    backUp: (target, signal) => backUp(inner, target, signal),
    chooseVariant: (id, tools) => chooseVariant(inner, id, tools),
    deleteStudy: (study) => deleteStudy({ ...inner, folder: inner.dataFolder }, study),
  };
}

function lifeOf(parts: {
  tables: SealedTables;
  database: Database;
  spools: SpoolFolder;
  repairs: string[];
  lock: { release(): void };
}): Pick<ArchiveStore, "health" | "close"> {
  const { tables, database, spools, repairs, lock } = parts;
  return {
    health() {
      const studies = tables.select("studies", null) as StudyRow[];
      return {
        studies: studies.length,
        instances: studies.reduce((sum, study) => sum + study.instanceCount, 0),
        bytes: studies.reduce((sum, study) => sum + study.bytes, 0),
        schemaVersion: database.schemaVersion,
        repairs,
      };
    },
    async close() {
      try {
        await spools.clear();
        database.close();
      } finally {
        lock.release();
      }
    },
  };
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (thrown) {
    throw fileSystemError(thrown) ?? appError("read-only", "The data folder cannot be made.", thrown);
  }
}
