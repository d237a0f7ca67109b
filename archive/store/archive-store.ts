import { mkdir, readdir } from "node:fs/promises";
import path from "node:path";
import type { ArchiveHealth } from "../../core/archive-events.ts";
import { AppError, appError } from "../../core/errors.ts";
import { fileSystemError } from "../../core/file-errors.ts";
import { type Answers, createAnswers } from "./answers.ts";
import { type Catalog, createCatalog } from "./catalog.ts";
import { type Changes, createChanges } from "./changes.ts";
import { type Database, openDatabase } from "./database.ts";
import { type ArchiveKeys, deriveKeys } from "./derived-keys.ts";
import { createObjectStore, type ObjectStore } from "./objects.ts";
import { takeOwnerLock } from "./owner-lock.ts";
import { isRebuilding, keyFits, type ReadHeader, rebuildIndex, setAsideIndex } from "./rebuild.ts";
import { repair } from "./repair.ts";
import type { StudyRow } from "./rows.ts";
import { createSealedTables } from "./sealed-tables.ts";
import { createSpoolFolder, type SpoolFolder } from "./spool.ts";

/** An open archive: the data folder, with its keys. One at a time, in one process. */
export interface ArchiveStore {
  readonly catalog: Catalog;
  readonly changes: Changes;
  readonly answers: Answers;
  readonly objects: ObjectStore;
  readonly spools: SpoolFolder;
  health(): ArchiveHealth;
  close(): Promise<void>;
}

export interface ArchiveOptions {
  readonly dataFolder: string;
  readonly dataKey: Uint8Array;
  /** For making a damaged index again from the stored files. */
  readonly readHeader: ReadHeader;
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
    database = await openOrSetAside({ dataFolder, objectsFolder, keys, objects });
    const tables = createSealedTables(database, keys.rows);
    const catalog = createCatalog(tables);
    const changes = createChanges({ database, tables, objects, catalog });
    const answers = createAnswers({ database, tables, objects, catalog, changes });
    const repairs: string[] = [];
    if (isRebuilding(dataFolder)) {
      const parts = { objects, catalog, changes, answers };
      repairs.push(await rebuildIndex(dataFolder, parts, options.readHeader));
    }
    repairs.push(...(await repair({ database, objects, changes })));
    return openedStore({ catalog, changes, answers, objects, spools, tables, database, repairs, lock });
  } catch (thrown) {
    database?.close();
    lock.release();
    throw thrown;
  }
}

async function openOrSetAside(parts: {
  dataFolder: string;
  objectsFolder: string;
  keys: ArchiveKeys;
  objects: ObjectStore;
}): Promise<Database> {
  const { dataFolder, objectsFolder, keys, objects } = parts;
  const options = { folder: dataFolder, databaseKey: keys.database, pagesKey: keys.pages };
  try {
    // Files without a record are what a first start leaves that was cut short, or a rebuild.
    const mayBeUnfinished = isRebuilding(dataFolder) || (await readdir(objectsFolder)).length === 0;
    return openDatabase({ ...options, mayBeUnfinished });
  } catch (thrown) {
    const damaged = thrown instanceof AppError && thrown.code === "archive-damaged";
    if (!damaged || !(await keyFits(objects))) throw thrown;
    await setAsideIndex(dataFolder);
    return openDatabase({ ...options, mayBeUnfinished: true });
  }
}

function openedStore(
  parts: Omit<ArchiveStore, "health" | "close"> & {
    tables: ReturnType<typeof createSealedTables>;
    database: Database;
    repairs: string[];
    lock: { release(): void };
  },
): ArchiveStore {
  const { catalog, changes, answers, objects, spools, tables, database, repairs, lock } = parts;
  return {
    catalog,
    changes,
    answers,
    objects,
    spools,
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
