import type { Changes } from "./changes.ts";
import type { Database } from "./database.ts";
import type { ObjectId, ObjectStore } from "./objects.ts";

/** One import puts at most this many objects on disk before it writes their rows. */
export const largestBatch = 64;

/**
 * Brings files and rows together after a process that ended anyhow. What was set right, in words for the user.
 * - files half-written, or whole but not yet named by a row: removed (their import was never reported as done);
 * - files of a deletion that was cut short: removed;
 * - more unnamed files than one import leaves: kept, since then the index may be the older part (a restored copy);
 * - rows whose file is missing: kept and named; reading one gives `archive-damaged`.
 */
export async function repair(parts: {
  database: Database;
  objects: ObjectStore;
  changes: Changes;
}): Promise<string[]> {
  const { database, objects, changes } = parts;
  const repairs: string[] = [];
  const deleted = await changes.removeDoomed();
  if (deleted > 0) repairs.push(`Finished a deletion: ${count(deleted, "file")} removed.`);

  const named = namedObjects(database);
  const halves: string[] = [];
  const unnamed: string[] = [];
  const present = new Set<string>();
  for await (const { id, part } of objects.list()) {
    if (part) halves.push(id);
    else if (named.has(id)) present.add(id);
    else unnamed.push(id);
  }
  await objects.discard(halves);
  if (unnamed.length > largestBatch) {
    repairs.push(`${count(unnamed.length, "stored file")} without an entry in the index: kept.`);
  } else {
    await objects.remove(unnamed);
    const removed = halves.length + unnamed.length;
    if (removed > 0) repairs.push(`Removed ${count(removed, "file")} of an import that was cut short.`);
  }
  const missing = named.size - present.size;
  if (missing > 0) repairs.push(`${count(missing, "stored file")} missing: import the study again.`);
  return repairs;
}

/** Every object that a row names. */
export function namedObjects(database: Pick<Database, "all">): Set<ObjectId> {
  const columns = [
    ["object", "instances"],
    ["object", "thumbnails"],
    ["object", "answers"],
    ["object", "variants"],
    ["record", "variants"],
  ];
  const selects = columns.map(([column, table]) => `SELECT ${column} AS object FROM ${table}`);
  return new Set(
    database.all(selects.join(" UNION ALL ")).map((row) => (row["object"] as Buffer).toString("hex")),
  );
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
