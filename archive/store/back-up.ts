import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { appError, throwIfAborted } from "../../core/errors.ts";
import type { BackupEvent } from "../../core/maintenance.ts";
import {
  type BackupContent,
  type ListedFile,
  listLine,
  listName,
  sealBackup,
  sealName,
} from "./backup-format.ts";
import type { Changes } from "./changes.ts";
import { copyFileWithDigest } from "./copy-file.ts";
import { type Database, indexFiles } from "./database.ts";
import { naming, syncFolder } from "./durable.ts";
import { objectFile, type ObjectId } from "./objects.ts";
import { namedObjects } from "./repair.ts";
import type { StudyRow } from "./rows.ts";
import type { SealedTables } from "./sealed-tables.ts";

export interface BackupParts {
  readonly dataFolder: string;
  readonly key: Uint8Array;
  readonly database: Database;
  readonly tables: SealedTables;
  readonly changes: Changes;
}

const progressEvery = 16;
/** Files that are copied side by side: their syncs become few journal commits. */
const atOnce = 8;

/**
 * Copies the archive as it is at this moment into `target`, an empty folder or a new one, while other work goes on.
 * The files are copied as they are, encrypted; nothing is unlocked by a backup. What was written is removed where it
 * cannot be finished.
 * @throws bad-input where the folder is not empty, disk-full, read-only, cancelled
 */
export async function* backUp(
  parts: BackupParts,
  target: string,
  signal: AbortSignal,
): AsyncGenerator<BackupEvent, void, void> {
  await makeEmptyFolder(target);
  // Objects never change once they are written, so that it is enough that none is removed meanwhile.
  const release = parts.changes.holdFiles();
  let finished = false;
  try {
    // Synchronous up to here and below: no transaction lies between the index and the list of its files.
    parts.database.copyTo(target);
    const objects = [...namedObjects(parts.database)];
    const studies = parts.tables.select("studies", null) as StudyRow[];
    const listed: ListedFile[] = [];
    let [bytes, problems] = [0, 0];
    for (const name of indexFiles) {
      const content = await readFile(path.join(target, name));
      listed.push({ name, sha256: createHash("sha256").update(content).digest("hex") });
      bytes += content.length;
      await syncFile(path.join(target, name));
    }
    yield { type: "progress", done: 0, total: objects.length };
    for (let at = 0; at < objects.length; at += atOnce) {
      throwIfAborted(signal);
      const group = objects.slice(at, at + atOnce);
      const copies = await Promise.all(
        group.map((id) => copyObject(parts.dataFolder, { id, target, signal })),
      );
      for (const copy of copies) {
        if (copy) {
          listed.push(copy.file);
          bytes += copy.bytes;
        } else problems += 1;
      }
      if (at % progressEvery === 0)
        yield { type: "progress", done: at + group.length, total: objects.length };
    }
    if (problems > 0) yield { type: "problem", problem: missingFiles(problems) };
    const images = studies.reduce((sum, study) => sum + study.instanceCount, 0);
    const { schemaVersion } = parts.database;
    const counts = { studies: studies.length, images, files: listed.length, bytes };
    await finish(target, parts.key, { listed, counts: { ...counts, schemaVersion } });
    finished = true;
    yield { type: "progress", done: objects.length, total: objects.length };
    yield { type: "done", ...counts, problems };
  } finally {
    if (!finished) await rm(target, { recursive: true, force: true });
    await release();
  }
}

async function makeEmptyFolder(folder: string): Promise<void> {
  await naming(() => mkdir(folder, { recursive: true, mode: 0o700 }));
  if ((await readdir(folder)).length > 0) {
    throw appError("bad-input", "The folder for the backup is not empty. Choose a new or an empty one.");
  }
}

/** Null where the archive lacks the file: the backup holds what there is, and says so. */
async function copyObject(
  dataFolder: string,
  job: { id: ObjectId; target: string; signal: AbortSignal },
): Promise<{ file: ListedFile; bytes: number } | null> {
  const name = objectFile(job.id);
  try {
    const from = path.join(dataFolder, name);
    const { sha256, bytes } = await copyFileWithDigest(from, path.join(job.target, name), job.signal);
    return { file: { name, sha256 }, bytes };
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code === "ENOENT") return null;
    throw thrown;
  }
}

async function finish(
  target: string,
  key: Uint8Array,
  backup: { listed: readonly ListedFile[]; counts: Omit<BackupContent, "format" | "madeAt" | "list"> },
): Promise<void> {
  const list = backup.listed.map(listLine).join("");
  await writeSynced(path.join(target, listName), list);
  const content: BackupContent = {
    format: 1,
    madeAt: new Date().toISOString(),
    ...backup.counts,
    list: createHash("sha256").update(list).digest("hex"),
  };
  await writeSynced(path.join(target, sealName), sealBackup(key, content));
  const folders = new Set(backup.listed.map(({ name }) => path.dirname(path.join(target, name))));
  for (const folder of [...folders, path.join(target, "objects"), target]) {
    await naming(() => syncFolder(folder)).catch((thrown: unknown) => {
      // An archive without images has no folder of them.
      if ((thrown as { code?: unknown }).code !== "ENOENT") throw thrown;
    });
  }
}

async function writeSynced(file: string, text: string): Promise<void> {
  await naming(async () => {
    const handle = await open(file, "wx", 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
}

async function syncFile(file: string): Promise<void> {
  const handle = await open(file, "r+");
  try {
    await naming(() => handle.sync());
  } finally {
    await handle.close();
  }
}

function missingFiles(count: number) {
  const files = count === 1 ? "1 stored file is" : `${count} stored files are`;
  return {
    kind: "file-missing" as const,
    studyInstanceUid: null,
    message: `${files} missing from the archive and from this backup. Check the archive to see of which studies.`,
  };
}
