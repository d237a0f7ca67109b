import { closeSync, copyFileSync, existsSync, openSync, rmSync } from "node:fs";
import path from "node:path";
import Libsql from "libsql";
import { appError, AppError } from "../../core/errors.ts";
import { fileSystemError } from "../../core/file-errors.ts";
import { archiveDamaged } from "./damage.ts";
import { type Migration, migrations } from "./migrations/all.ts";
import {
  type PageRecord,
  pageDigest,
  readPageRecord,
  type RecordedPages,
  writePageRecord,
} from "./page-record.ts";
import { verifyPages } from "./verify-pages.ts";
import { noLog, scanLog } from "./write-ahead-log.ts";

/**
 * The index: a libsql database, encrypted with a raw 256-bit key, in WAL mode, every page of it recorded
 * (page-record.ts) and compared before libsql reads it (verify-pages.ts). Columns are integers and blobs only; what
 * is text lies in sealed rows (sealed-row.ts). docs/decisions/archive-integrity.md says why.
 */
export interface Database {
  /** Rows with blobs as Buffer. @throws archive-damaged, disk-full, read-only */
  all(sql: string, ...parameters: SqlValue[]): SqlRow[];
  run(sql: string, ...parameters: SqlValue[]): void;
  /** All or nothing, and durable when it returns. Synchronous: nothing may come between commit and record. */
  transaction(work: () => void): void;
  readonly schemaVersion: number;
  /** Compares every page on disk with what was written. @throws archive-damaged */
  verify(): void;
  /** Folds the log into the database, so that no older state of a page is left in it. */
  fold(): void;
  /** Copies the index into another folder as it is at this moment. @throws disk-full, read-only */
  copyTo(folder: string): void;
  close(): void;
}

export type SqlValue = number | Buffer | null;
export type SqlRow = Readonly<Record<string, SqlValue>>;

export interface DatabaseOptions {
  readonly folder: string;
  readonly databaseKey: Uint8Array;
  readonly pagesKey: Uint8Array;
  /** Whether files without a record may be left over from a first start that was cut short. */
  readonly mayBeUnfinished: boolean;
  /** Other than the app's own: for tests, and for making archives of older versions. */
  readonly migrations?: readonly Migration[];
}

/** What an index is when its log is folded in. */
export const indexFiles = ["archive.db", "archive.pages"];

/** The log is folded into the database at this many frames of 4 KiB. */
const longestLog = 1000;

/** @throws archive-damaged, archive-too-new, disk-full, read-only */
export function openDatabase(options: DatabaseOptions): Database {
  return named(() => open(options));
}

function open(options: DatabaseOptions): Database {
  const { folder, databaseKey, pagesKey, mayBeUnfinished } = options;
  const files = {
    database: path.join(folder, "archive.db"),
    log: path.join(folder, "archive.db-wal"),
    record: path.join(folder, "archive.pages"),
  };
  const recorded = readRecorded(files, { pagesKey, mayBeUnfinished });
  const connection = connect(files.database, databaseKey);
  let pages: RecordedPages = recorded;
  let position = recorded.position;
  let record: PageRecord | null = null;

  /** After each commit: the digests of the pages it wrote. */
  function recordCommit(): void {
    const scan = scanLog(files.log, position);
    if (scan.pageCount === null) return;
    const changed = new Map(
      scan.pages.map(({ page, image }) => [page, pageDigest(pagesKey, page, image)] as const),
    );
    record!.append(scan.position, scan.pageCount, changed);
    for (const [page, digest] of changed) pages.digests.set(page, digest);
    pages = { ...pages, pageCount: scan.pageCount, frames: scan.position.frames, salt: scan.position.salt };
    position = scan.position;
  }

  /** Folds the log into the database. The old record holds for the result too, should writing the new one fail. */
  function checkpoint(): void {
    connection.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    const after = scanLog(files.log, noLog).position;
    const next = writePageRecord(files.record, pagesKey, {
      ...pages,
      salt: after.salt,
      frames: after.frames,
    });
    record?.close();
    [record, position] = [next, after];
  }

  /** The transaction before it holds, whether or not there is room for this; the next one tries again. */
  function tryCheckpoint(): void {
    try {
      checkpoint();
    } catch (thrown) {
      if (!fileSystemError(thrown)) throw thrown;
    }
  }

  function transaction(work: () => void): void {
    named(() => {
      record!.reserve(pages.pageCount);
      connection.exec("BEGIN IMMEDIATE");
      try {
        work();
        connection.exec("COMMIT");
      } catch (thrown) {
        if (connection.inTransaction) connection.exec("ROLLBACK");
        throw thrown;
      }
      recordCommit();
      if (position.frames >= longestLog) tryCheckpoint();
    });
  }

  // Parameters go in as one array: libsql takes a lone Buffer for an object of named ones, and ends the process.
  function all(sql: string, ...parameters: SqlValue[]): SqlRow[] {
    return named(() => (connection.prepare(sql).all([...parameters]) as RawRow[]).map(withBuffers));
  }

  function run(sql: string, ...parameters: SqlValue[]): void {
    named(() => connection.prepare(sql).run([...parameters]));
  }

  // What an earlier process left unrecorded is recorded before the log is folded in, never after.
  record = writePageRecord(files.record, pagesKey, pages);
  const schemaVersion = migrate({ all, run, transaction }, options.migrations ?? migrations);
  checkpoint();

  return {
    all,
    run,
    transaction,
    schemaVersion,
    verify: () => named(() => void verifyPages(files, pagesKey, readPageRecord(files.record, pagesKey))),
    fold: () => named(tryCheckpoint),
    copyTo(target) {
      named(() => {
        checkpoint();
        for (const name of indexFiles) copyFileSync(path.join(folder, name), path.join(target, name));
      });
    },
    close() {
      try {
        named(tryCheckpoint);
      } finally {
        record?.close();
        connection.close();
      }
    },
  };
}

type RawRow = Record<string, number | ArrayBuffer | Uint8Array | null>;

function connect(file: string, key: Uint8Array): Libsql.Database {
  // SQLite would let everyone read it; its log takes over the mode of the database.
  closeSync(openSync(file, "a", 0o600));
  const connection = new Libsql(file);
  // Not the option `encryptionKey`: it takes 32 characters of what it is given, so that hex has half the bits.
  connection.exec(`PRAGMA hexkey = '${Buffer.from(key).toString("hex")}'`);
  connection.exec("PRAGMA journal_mode = WAL");
  for (const setting of [
    "temp_store = MEMORY",
    "synchronous = FULL",
    // Only this module folds the log in, so that no page changes without its record.
    "wal_autocheckpoint = 0",
    "cache_size = -65536",
    "mmap_size = 0",
    "cell_size_check = ON",
    "trusted_schema = OFF",
    "secure_delete = ON",
  ]) {
    connection.exec(`PRAGMA ${setting}`);
  }
  return connection;
}

function readRecorded(
  files: { database: string; log: string; record: string },
  options: { pagesKey: Uint8Array; mayBeUnfinished: boolean },
) {
  if (existsSync(files.record)) {
    if (!existsSync(files.database)) throw archiveDamaged();
    return verifyPages(files, options.pagesKey, readPageRecord(files.record, options.pagesKey));
  }
  if (existsSync(files.database) && !options.mayBeUnfinished) throw archiveDamaged();
  for (const file of [files.database, files.log, `${files.database}-shm`]) rmSync(file, { force: true });
  return { salt: "", frames: 0, pageCount: 0, digests: new Map<number, Buffer>(), position: noLog };
}

/** Runs the migrations that are missing, each in a transaction of its own. @throws archive-too-new */
function migrate(
  database: Pick<Database, "all" | "run" | "transaction">,
  steps: readonly Migration[],
): number {
  const version = Number(database.all("PRAGMA user_version")[0]?.["user_version"]);
  if (version > steps.length) {
    throw appError(
      "archive-too-new",
      "This archive was made by a newer version of the app. Install that version to open it.",
    );
  }
  for (const [index, migration] of steps.entries()) {
    if (index < version) continue;
    database.transaction(() => {
      migration(database);
      database.run(`PRAGMA user_version = ${index + 1}`);
    });
  }
  return steps.length;
}

function withBuffers(row: RawRow): SqlRow {
  const out: Record<string, SqlValue> = {};
  for (const [name, value] of Object.entries(row)) {
    if (value instanceof ArrayBuffer) out[name] = Buffer.from(value);
    else if (value instanceof Uint8Array)
      out[name] = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    else out[name] = value;
  }
  return out;
}

function named<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof AppError) throw thrown;
    const code = String((thrown as { code?: unknown }).code ?? "");
    if (/^SQLITE_(CORRUPT|NOTADB|FORMAT)/.test(code)) throw archiveDamaged(thrown);
    throw fileSystemError(thrown) ?? thrown;
  }
}
