import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../core/errors.ts";
import type { ByteSource } from "../byte-source.ts";
import type { InstanceHeader } from "../instance-header.ts";
import { answerIn, type Answers } from "./answers.ts";
import type { Catalog } from "./catalog.ts";
import type { Changes, NewInstance } from "./changes.ts";
import { naming, syncFolder } from "./durable.ts";
import type { ObjectStore } from "./objects.ts";
import { largestBatch } from "./repair.ts";

/**
 * Everything in the index can be made again from the objects, each of which proves itself: a damaged index is set
 * aside and built anew, so that a bit that changed on disk does not cost the archive.
 */

export type ReadHeader = (source: ByteSource) => Promise<InstanceHeader>;

/** Stands while a rebuild is under way, so that one that was cut short goes on at the next start. */
const marker = "archive.rebuild";
const indexFiles = ["archive.db", "archive.db-wal", "archive.db-shm", "archive.pages"];
const largestAnswer = 64 * 1024 ** 2;
const chunkBytes = 1024 ** 2;

export function isRebuilding(folder: string): boolean {
  return existsSync(path.join(folder, marker));
}

/** Whether any object opens with this key: if none does, the key is the wrong one and nothing is touched. */
export async function keyFits(objects: ObjectStore): Promise<boolean> {
  let tried = 0;
  for await (const { id, part } of objects.list()) {
    if (part) continue;
    if (await opens(objects, id)) return true;
    tried += 1;
    if (tried === 16) return false;
  }
  return false;
}

/** Moves the damaged index to `damaged/`, where it may still help a specialist; an older one there is replaced. */
export async function setAsideIndex(folder: string): Promise<void> {
  await naming(async () => {
    const handle = await open(path.join(folder, marker), "w", 0o600);
    await handle.sync();
    await handle.close();
    const aside = path.join(folder, "damaged");
    await rm(aside, { recursive: true, force: true });
    await mkdir(aside, { mode: 0o700 });
    for (const name of indexFiles) {
      if (existsSync(path.join(folder, name))) await rename(path.join(folder, name), path.join(aside, name));
    }
    await syncFolder(folder);
  });
}

/** What was made again, in words for the user. Objects that do not open are set aside. */
export async function rebuildIndex(
  folder: string,
  parts: { objects: ObjectStore; catalog: Catalog; changes: Changes; answers: Answers },
  readHeader: ReadHeader,
): Promise<string> {
  const { objects, catalog, changes, answers } = parts;
  const answerObjects: string[] = [];
  let batch: NewInstance[] = [];
  let [images, unreadable] = [0, 0];
  const flush = () => {
    if (batch.length > 0) changes.addInstances(batch);
    images += batch.length;
    batch = [];
  };
  for await (const { id, part } of objects.list()) {
    if (part) continue;
    try {
      const source = await objects.open(id);
      const kind = await kindOf(source);
      if (kind === "thumbnail") await objects.remove([id]);
      else if (kind === "answer") answerObjects.push(id);
      else {
        const header = await readHeader(source);
        const known = catalog.findInstance(header.sopInstanceUid);
        if (!known) batch.push({ header, object: id, bytes: source.size, sha256: await digest(source) });
        else images += 1;
      }
    } catch (thrown) {
      if (!(thrown instanceof AppError)) throw thrown;
      await objects.setAside(id);
      unreadable += 1;
    }
    if (batch.length >= largestBatch) flush();
  }
  flush();
  let saved = 0;
  for (const id of answerObjects) {
    const source = await objects.open(id);
    const answer = answerIn(await source.read(0, Math.min(source.size, largestAnswer)));
    if (!answer || !catalog.findStudy(answer.subject.studyInstanceUid)) continue;
    answers.adopt(answer, id);
    saved += 1;
  }
  await rm(path.join(folder, marker), { force: true });
  const rest = unreadable > 0 ? ` ${unreadable} files are damaged too: import their studies again.` : "";
  return `The index was damaged and was made again from the stored files: ${images} images, ${saved} answers.${rest}`;
}

async function kindOf(source: ByteSource): Promise<"thumbnail" | "answer" | "image"> {
  const start = Buffer.from(await source.read(0, 20)).toString("latin1");
  if (start.startsWith("\x89PNG")) return "thumbnail";
  return start.startsWith('{"meditron":"answer"') ? "answer" : "image";
}

async function opens(objects: ObjectStore, id: string): Promise<boolean> {
  try {
    await objects.open(id);
    return true;
  } catch {
    return false;
  }
}

async function digest(source: ByteSource): Promise<string> {
  const hash = createHash("sha256");
  for (let at = 0; at < source.size; at += chunkBytes) hash.update(await source.read(at, chunkBytes));
  return hash.digest("hex");
}
