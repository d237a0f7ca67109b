import { mkdir, readdir } from "node:fs/promises";
import path from "node:path";
import { appError } from "../../core/errors.ts";
import { fileSystemError } from "../../core/file-errors.ts";
import type { ArchiveHealth } from "../../core/archive-events.ts";
import { type Answers, createAnswers } from "./answers.ts";
import { type Catalog, createCatalog } from "./catalog.ts";
import { type Changes, createChanges } from "./changes.ts";
import { openDatabase } from "./database.ts";
import { deriveKeys } from "./derived-keys.ts";
import { createObjectStore, type ObjectStore } from "./objects.ts";
import { takeOwnerLock } from "./owner-lock.ts";
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

/**
 * Opens the archive in `dataFolder`, or makes it. Everything that libsql is going to read is compared with what was
 * written first.
 * @throws archive-in-use, archive-damaged, archive-too-new, disk-full, read-only
 */
export async function openArchiveStore(options: {
  dataFolder: string;
  dataKey: Uint8Array;
}): Promise<ArchiveStore> {
  const keys = deriveKeys(options.dataKey);
  const objectsFolder = path.join(options.dataFolder, "objects");
  await makeFolder(objectsFolder);
  const lock = takeOwnerLock(options.dataFolder);
  try {
    const spools = createSpoolFolder(path.join(options.dataFolder, "spool"));
    await spools.clear();
    const database = openDatabase({
      folder: options.dataFolder,
      databaseKey: keys.database,
      pagesKey: keys.pages,
      mayBeUnfinished: (await readdir(objectsFolder)).length === 0,
    });
    const tables = createSealedTables(database, keys.rows);
    const objects = createObjectStore(objectsFolder, keys.objects);
    const catalog = createCatalog(tables);
    const changes = createChanges({ database, tables, objects, catalog });
    const answers = createAnswers(database, tables, catalog);
    const repairs = await repair({ database, objects, changes });

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
  } catch (thrown) {
    lock.release();
    throw thrown;
  }
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (thrown) {
    throw fileSystemError(thrown) ?? appError("read-only", "The data folder cannot be made.", thrown);
  }
}
