import { randomBytes } from "node:crypto";
import type { ImportCounts } from "../../core/archive-events.ts";
import { appError } from "../../core/errors.ts";
import type { Database } from "./database.ts";
import type { SealedTables } from "./sealed-tables.ts";

/** An import of paths that has begun and not ended. */
export interface UnfinishedImport {
  readonly id: string;
  readonly paths: readonly string[];
  readonly startedAt: string;
  /** As of its last write to the archive; absent before. */
  readonly progress?: ImportCounts;
}

/**
 * Which imports have begun: what is still here after a start was cut short, and can go on. What it brought already
 * is told by its content, not by this list, so that a file that changed since is not passed over.
 */
export interface ImportJournal {
  /** The same paths again are the same import. */
  begin(paths: readonly string[]): { id: string; isNew: boolean };
  /** How far it has come; what is not noted yet is gone through once more. */
  reached(id: string, progress: ImportCounts): void;
  end(id: string): void;
  /** It stopped and may go on later. */
  leave(id: string): void;
  /** Oldest first, without those that are under way. */
  unfinished(): UnfinishedImport[];
  /** @throws not-found */
  read(id: string): UnfinishedImport;
}

export function createImportJournal(database: Database, tables: SealedTables): ImportJournal {
  const underWay = new Set<string>();
  const all = () =>
    (tables.select("imports", null) as UnfinishedImport[]).toSorted((a, b) =>
      a.startedAt < b.startedAt ? -1 : 1,
    );

  return {
    begin(paths) {
      const known = all().find((one) => one.paths.join("\0") === paths.join("\0"));
      const id = known?.id ?? randomBytes(16).toString("hex");
      if (!known) {
        const body: UnfinishedImport = { id, paths, startedAt: new Date().toISOString() };
        database.transaction(() => tables.put("imports", { key: id, columns: {}, body }));
      }
      underWay.add(id);
      return { id, isNew: !known };
    },
    reached(id, progress) {
      const known = tables.get("imports", id) as UnfinishedImport | null;
      if (!known) return;
      database.transaction(() =>
        tables.put("imports", { key: id, columns: {}, body: { ...known, progress } }),
      );
    },
    end(id) {
      underWay.delete(id);
      database.transaction(() => tables.remove("imports", id));
    },
    leave: (id) => void underWay.delete(id),
    unfinished: () => all().filter(({ id }) => !underWay.has(id)),
    read(id) {
      const found = tables.get("imports", id) as UnfinishedImport | null;
      if (!found)
        throw appError("not-found", "This import is no longer in the list. Import its files again.");
      return found;
    },
  };
}
