import { rm } from "node:fs/promises";
import path from "node:path";
import type { StudyUid } from "../../core/study.ts";
import type { Changes } from "./changes.ts";
import type { Database } from "./database.ts";
import { naming } from "./durable.ts";
import type { ObjectStore } from "./objects.ts";
import { damagedFolder } from "./rebuild.ts";

/**
 * Removes a study with everything that was made from it, and whatever may hold an older state of it: the log, a
 * damaged index that was set aside, and damaged files of which nobody can tell whose they are.
 * @throws study-not-found, disk-full, read-only
 */
export async function deleteStudy(
  parts: { folder: string; database: Database; changes: Changes; objects: ObjectStore },
  study: StudyUid,
): Promise<void> {
  const { folder, database, changes, objects } = parts;
  await changes.deleteStudy(study);
  // The rows are overwritten in the database (secure_delete), but pages of the log still have them.
  database.fold();
  await objects.removeSetAside();
  await naming(() => rm(path.join(folder, damagedFolder), { recursive: true, force: true }));
}
