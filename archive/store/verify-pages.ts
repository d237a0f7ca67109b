import { closeSync, openSync, readSync } from "node:fs";
import { archiveDamaged } from "./damage.ts";
import { pageDigest, type RecordedPages } from "./page-record.ts";
import { type LogPosition, noLog, pageSize, scanLog } from "./write-ahead-log.ts";

export interface VerifiedPages extends RecordedPages {
  readonly position: LogPosition;
  /** Commits that the log holds beyond the record: the process ended between commit and record. */
  readonly unrecorded: boolean;
}

/**
 * Compares every page that SQLite would read (from the log where it has the page, else from the database) with its
 * recorded digest, before libsql sees the files. Frames of the log after the recorded ones belong to a commit whose
 * record was not written any more; SQLite's own checksums hold for them, and they are taken.
 * @throws archive-damaged
 */
export function verifyPages(
  files: { database: string; log: string },
  key: Uint8Array,
  recorded: RecordedPages,
): VerifiedPages {
  const log = scanLog(files.log, noLog);
  const known = log.position.salt === recorded.salt ? recorded.frames : 0;
  const latest = new Map(log.pages.map((logged) => [logged.page, logged]));
  const pageCount = log.pageCount ?? recorded.pageCount;
  const unrecorded = log.position.frames > known;
  if (!unrecorded && pageCount !== recorded.pageCount) throw archiveDamaged();

  const digests = new Map<number, Buffer>();
  const database = openSync(files.database, "r");
  try {
    const image = Buffer.alloc(pageSize);
    for (let page = 1; page <= pageCount; page += 1) {
      const logged = latest.get(page);
      // A page that was taken and given back within one transaction is counted but was never written.
      if (!logged && !recorded.digests.has(page)) continue;
      if (!logged && readSync(database, image, 0, pageSize, (page - 1) * pageSize) !== pageSize) {
        throw archiveDamaged();
      }
      const digest = pageDigest(key, page, logged?.image ?? image);
      const isNew = logged !== undefined && logged.frame >= known;
      if (!isNew && !recorded.digests.get(page)?.equals(digest)) throw archiveDamaged();
      digests.set(page, digest);
    }
  } finally {
    closeSync(database);
  }
  return {
    salt: log.position.salt,
    frames: log.position.frames,
    pageCount,
    digests,
    position: log.position,
    unrecorded,
  };
}
