import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { lstat, open, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { AppError, appError, throwIfAborted } from "../../core/errors.ts";
import { packSchema, type Pack, type PackFile } from "./pack-schema.ts";

export const packFileName = "pack.json";
const packFileLimit = 4 * 1024 * 1024;
const blockBytes = 1024 * 1024;

/** A folder whose pack.json has been read; its other files are not checked yet. */
export interface OpenedPack {
  readonly folder: string;
  readonly pack: Pack;
  /** SHA-256 of pack.json, hex: it names every other file's digest, so it stands for the whole pack. */
  readonly digest: string;
}

export function packDamaged(what: string, cause?: unknown): AppError {
  return appError("pack-damaged", `The model pack is damaged: ${what}. Install it again.`, cause);
}

/** @throws pack-damaged, pack-not-found */
export async function openPackFolder(folder: string): Promise<OpenedPack> {
  const bytes = await readPackJson(folder);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw packDamaged("pack.json is not JSON", cause);
  }
  const parsed = safeParse(json);
  if (!parsed.success) {
    const at = v.getDotPath(parsed.issues[0]);
    throw packDamaged(at === null ? "pack.json contradicts itself" : `pack.json has a wrong value at ${at}`);
  }
  return { folder, pack: parsed.output, digest: sha256(bytes) };
}

function safeParse(json: unknown) {
  try {
    return v.safeParse(packSchema, json);
  } catch (cause) {
    // Nesting deep enough to exhaust the stack.
    throw packDamaged("pack.json cannot be read", cause);
  }
}

async function readPackJson(folder: string): Promise<Uint8Array> {
  try {
    return await readPlainFile(join(folder, packFileName), packFileLimit);
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === "file-not-found") {
      throw appError("pack-not-found", "The folder holds no model pack: it has no pack.json.", thrown);
    }
    throw thrown;
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Opens a file that must be a plain one: a link could lead out of the pack (symbolic) or alias a file outside (hard). */
async function openPlainFile(path: string): Promise<{ handle: FileHandle; size: number }> {
  let handle: FileHandle;
  try {
    const before = await lstat(path);
    if (!before.isFile()) throw packDamaged("it holds a link or a folder in place of a file");
    handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw appError("file-not-found", "A file of the model pack is missing or cannot be opened.", cause);
  }
  const stat = await handle.stat();
  if (stat.isFile() && stat.nlink === 1) return { handle, size: stat.size };
  await handle.close();
  throw packDamaged("one of its files is a link");
}

async function readPlainFile(path: string, limit: number): Promise<Uint8Array> {
  const { handle, size } = await openPlainFile(path);
  try {
    if (size > limit) throw packDamaged("one of its files is larger than it can be");
    const bytes = new Uint8Array(size);
    let done = 0;
    while (done < size) {
      const { bytesRead } = await handle.read(bytes, done, size - done, done);
      if (bytesRead === 0) throw packDamaged("one of its files became shorter while it was read");
      done += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}

/** A file of the pack that pack.json does not list. @throws file-not-found, pack-damaged (a link, too large) */
export async function readPackFile({ folder }: OpenedPack, name: string, limit: number): Promise<Uint8Array> {
  return readPlainFile(join(folder, name), limit);
}

export function declaredFile({ pack }: OpenedPack, path: string): PackFile {
  const file = pack.files.find((one) => one.path === path);
  if (file === undefined) throw packDamaged(`pack.json does not list ${path}`);
  return file;
}

/** A declared file's bytes, checked against size and digest in memory: what is used is what was checked. */
export async function readDeclaredFile(opened: OpenedPack, path: string, limit: number): Promise<Uint8Array> {
  const file = declaredFile(opened, path);
  if (file.bytes > limit) throw packDamaged(`${path} is larger than it can be`);
  await refuseLinkedFolders(opened.folder, path);
  const bytes = await readPlainFile(join(opened.folder, path), limit);
  if (bytes.length !== file.bytes || sha256(bytes) !== file.sha256)
    throw packDamaged(`${path} is not the file it was`);
  return bytes;
}

/** Checks size and digest of every declared file; yields the bytes read so far. @throws pack-damaged, cancelled */
export async function* checkFiles(
  opened: OpenedPack,
  signal: AbortSignal,
): AsyncGenerator<number, void, void> {
  let done = 0;
  for (const file of opened.pack.files) {
    await refuseLinkedFolders(opened.folder, file.path);
    for await (const bytes of checkFile(opened.folder, file, signal)) {
      done += bytes;
      yield done;
    }
  }
}

async function* checkFile(
  folder: string,
  file: PackFile,
  signal: AbortSignal,
): AsyncGenerator<number, void, void> {
  const { handle, size } = await openPlainFile(join(folder, file.path));
  try {
    if (size !== file.bytes) throw packDamaged(`${file.path} has another size than pack.json says`);
    const hash = createHash("sha256");
    const block = new Uint8Array(blockBytes);
    for (let at = 0; at < size;) {
      throwIfAborted(signal);
      const { bytesRead } = await handle.read(block, 0, Math.min(blockBytes, size - at), at);
      if (bytesRead === 0) throw packDamaged(`${file.path} became shorter while it was read`);
      hash.update(block.subarray(0, bytesRead));
      at += bytesRead;
      yield bytesRead;
    }
    if (hash.digest("hex") !== file.sha256) throw packDamaged(`${file.path} is not the file it was`);
  } finally {
    await handle.close();
  }
}

/** O_NOFOLLOW looks at the last part of a path only. */
async function refuseLinkedFolders(folder: string, path: string): Promise<void> {
  const parents: string[] = [];
  for (let parent = dirname(path); parent !== "."; parent = dirname(parent)) parents.push(parent);
  for (const parent of parents) {
    const stat = await lstat(join(folder, parent)).catch((cause: unknown) => {
      throw packDamaged("one of its folders is missing", cause);
    });
    if (!stat.isDirectory()) throw packDamaged("one of its folders is a link");
  }
}
