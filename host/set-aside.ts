import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import * as v from "valibot";
import { appError } from "../core/errors.ts";
import { fileSystemError } from "../core/file-errors.ts";
import { type SetAsideArchive, setAsideArchiveSchema } from "../core/maintenance.ts";
import type { Context } from "./context.ts";
import { archiveName } from "./folders.ts";
import { keysName } from "./keys/key-store.ts";
import { takeDataFolder } from "./owner.ts";
import { errorResponse } from "./transports/fetch.ts";

/** In the data folder: archives that another one took the place of, each laid out as a data folder. */
export const setAsideName = "set-aside";

export interface SetAside {
  /** Where it lies now. */
  readonly folder: string;
  /** Into the data folder again; what came there instead is removed. */
  putBack(): Promise<void>;
}

/**
 * Moves the archive and its keys out of the way, so that another can take the place, and ends the process that has it
 * open. Nothing is copied and nothing is lost: the folder opens as a data folder of its own.
 * @throws read-only, disk-full, bad-input
 */
export async function setArchiveAside(
  context: Pick<Context, "archive" | "folders" | "gate">,
): Promise<SetAside> {
  const { archive, folders, gate } = context;
  const stamp = new Date().toISOString().slice(0, 19).replace(/:/g, "-");
  const folder = path.join(folders.data, setAsideName, stamp);
  const move = async (from: string, to: string) => {
    // The keys first out and last back: a folder with keys and without files would count as an empty archive.
    const names = from === folders.data ? [keysName, archiveName] : [archiveName, keysName];
    for (const name of names) await moveOne(path.join(from, name), path.join(to, name));
  };
  await archive.stop();
  const dataKey = gate.leave();
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await move(folders.data, folder);
  } catch (thrown) {
    await move(folder, folders.data).catch(() => undefined);
    gate.adopt(dataKey);
    throw fileSystemError(thrown) ?? notMoved(thrown);
  }
  return {
    folder,
    async putBack() {
      await archive.stop();
      await rm(path.join(folders.data, archiveName), { recursive: true, force: true });
      await rm(path.join(folders.data, keysName), { force: true });
      await move(folder, folders.data);
      await rm(folder, { recursive: true, force: true });
      gate.adopt(dataKey);
    },
  };
}

/** The latest first. What is not a folder of this app's naming is left out: somebody else put it there. */
export async function listSetAside(dataFolder: string): Promise<SetAsideArchive[]> {
  const folder = path.join(dataFolder, setAsideName);
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const names = entries
    .filter((entry) => entry.isDirectory() && v.is(setAsideArchiveSchema.entries.name, entry.name))
    .map(({ name }) => name)
    .toSorted()
    .toReversed();
  const found: SetAsideArchive[] = [];
  for (const name of names) found.push({ name, bytes: await bytesIn(path.join(folder, name)) });
  return found;
}

/**
 * Its keys go first: from then on nothing opens what is left of it, even where the rest is cut short.
 * @throws not-found, archive-in-use where another window has it open as its data folder, read-only
 */
export async function deleteSetAside(dataFolder: string, name: string): Promise<void> {
  const known = await listSetAside(dataFolder);
  if (!known.some((one) => one.name === name)) {
    throw appError("not-found", "There is no such archive any more. Look at the list again.");
  }
  const folder = path.join(dataFolder, setAsideName, name);
  const owner = await takeDataFolder(folder, async () => errorResponse(beingDeleted()));
  try {
    await rm(path.join(folder, keysName), { force: true });
    await rm(folder, { recursive: true });
  } catch (thrown) {
    const named = fileSystemError(thrown);
    throw (
      named ??
      appError(
        "bad-input",
        "Not everything of it could be deleted. Close what has it open, and try again.",
        thrown,
      )
    );
  } finally {
    await owner.release();
  }
}

function beingDeleted(): Error {
  return appError("archive-in-use", "This archive is being deleted.");
}

/** A file that goes meanwhile counts nothing. */
async function bytesIn(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    bytes += await stat(path.join(entry.parentPath, entry.name)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return bytes;
}

/** What is not there (an archive that never held anything) needs no moving. */
async function moveOne(from: string, to: string): Promise<void> {
  await rename(from, to).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code !== "ENOENT") throw thrown;
  });
}

function notMoved(cause: unknown): Error {
  return appError(
    "bad-input",
    "The archive could not be moved aside; another program may have its files open. Nothing was changed.",
    cause,
  );
}
