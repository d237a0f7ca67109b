import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, readFile, rm, stat } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { AppError, appError, throwIfAborted } from "../../core/errors.ts";
import type { BackupEvent } from "../../core/maintenance.ts";
import {
  backupDamaged,
  type ListedFile,
  listName,
  openSeal,
  parseListLine,
  sealName,
} from "./backup-format.ts";
import { copyFileWithDigest } from "./copy-file.ts";
import { indexFiles } from "./database.ts";
import { deriveKeys } from "./derived-keys.ts";
import { naming, syncFolder } from "./durable.ts";
import { markRebuilding } from "./rebuild.ts";

export interface RestoreOptions {
  readonly backup: string;
  /** The archive's folder: new, empty, or left by a restore that was cut short. */
  readonly dataFolder: string;
  readonly dataKey: Uint8Array;
  /** Takes what is whole of a damaged backup, instead of nothing. */
  readonly salvage: boolean;
}

/** Stands while files are copied: what lies beside it is no archive yet. */
const marker = "archive.restore";
const largestSeal = 64 * 1024;
const progressEvery = 16;

/**
 * Copies a backup into an empty data folder, each file compared with its digest. Nothing stays where it fails.
 * @throws backup-damaged (also where the key is another's), bad-request where the folder holds an archive,
 *   archive-too-new, file-not-found, disk-full, read-only, cancelled
 */
export async function* restoreBackup(
  options: RestoreOptions,
  signal: AbortSignal,
): AsyncGenerator<BackupEvent, void, void> {
  const { backup, dataFolder, dataKey, salvage } = options;
  const content = openSeal(deriveKeys(dataKey).backup, await readSeal(backup));
  if ((await listDigest(backup)) !== content.list) throw backupDamaged(`${listName} was changed.`);
  await makeRoom(dataFolder);
  let finished = false;
  try {
    let [done, bytes, problems, indexIsWhole] = [0, 0, 0, true];
    yield { type: "progress", done, total: content.files };
    for await (const file of listedFiles(backup)) {
      throwIfAborted(signal);
      const copied = await copyListed(file, { backup, dataFolder, signal });
      if (copied === null && !salvage) throw backupDamaged("one of its files is damaged or missing.");
      if (copied === null && indexFiles.includes(file.name)) indexIsWhole = false;
      if (copied === null) problems += 1;
      bytes += copied ?? 0;
      done += 1;
      if (done % progressEvery === 0) yield { type: "progress", done, total: content.files };
    }
    if (!indexIsWhole) await markRebuilding(dataFolder);
    if (problems > 0) yield { type: "problem", problem: leftOut(problems) };
    await rm(path.join(dataFolder, marker));
    await naming(() => syncFolder(dataFolder));
    finished = true;
    yield { type: "progress", done, total: content.files };
    const { studies, images } = content;
    yield { type: "done", studies, images, files: done - problems, bytes, problems };
  } finally {
    if (!finished) await rm(dataFolder, { recursive: true, force: true });
  }
}

async function readSeal(backup: string): Promise<string> {
  const file = path.join(backup, sealName);
  try {
    if ((await stat(file)).size > largestSeal) throw backupDamaged(`${sealName} is not as it was written.`);
    return await readFile(file, "utf8");
  } catch (thrown) {
    if (thrown instanceof AppError) throw thrown;
    throw appError("backup-damaged", "This folder holds no finished backup.", thrown);
  }
}

async function listDigest(backup: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path.join(backup, listName))) hash.update(chunk as Buffer);
  } catch (thrown) {
    throw backupDamaged(`${listName} cannot be read.`, thrown);
  }
  return hash.digest("hex");
}

async function* listedFiles(backup: string): AsyncGenerator<ListedFile, void, void> {
  const lines = createInterface({
    input: createReadStream(path.join(backup, listName)),
    crlfDelay: Infinity,
  });
  for await (const line of lines) yield parseListLine(line);
}

/** @throws bad-request */
async function makeRoom(dataFolder: string): Promise<void> {
  await naming(() => mkdir(dataFolder, { recursive: true, mode: 0o700 }));
  const present = await readdir(dataFolder);
  if (present.length > 0 && !present.includes(marker)) {
    throw appError(
      "bad-request",
      "This data folder has an archive already. Restore into an empty data folder.",
    );
  }
  await naming(async () => {
    for (const name of present) await rm(path.join(dataFolder, name), { recursive: true });
    const handle = await open(path.join(dataFolder, marker), "wx", 0o600);
    await handle.sync();
    await handle.close();
    await syncFolder(dataFolder);
  });
}

/** Octets of the copy; null where the backup's file is not what was backed up. */
async function copyListed(
  file: ListedFile,
  job: { backup: string; dataFolder: string; signal: AbortSignal },
): Promise<number | null> {
  const target = path.join(job.dataFolder, file.name);
  try {
    const copy = await copyFileWithDigest(path.join(job.backup, file.name), target, job.signal);
    if (copy.sha256 === file.sha256) return copy.bytes;
  } catch (thrown) {
    if (thrown instanceof AppError) throw thrown;
    // Missing, a link, or unreadable: as good as damaged.
  }
  await rm(target, { force: true });
  return null;
}

function leftOut(count: number) {
  const files = count === 1 ? "1 file of the backup is" : `${count} files of the backup are`;
  return {
    kind: "file-damaged" as const,
    studyInstanceUid: null,
    message: `${files} damaged or missing and left out. Check the archive to see of which studies.`,
  };
}
