import { mkdir, readdir, realpath, rm } from "node:fs/promises";
import path from "node:path";
import { deleteSetAside, listSetAside, setArchiveAside } from "../set-aside.ts";
import { readBackupInfo } from "../backup-info.ts";
import { AppError, appError } from "../../core/errors.ts";
import { fileSystemError } from "../../core/file-errors.ts";
import type { Context } from "../context.ts";
import { archiveName } from "../folders.ts";
import { copyKeys, createKeyStore, keysName } from "../keys/key-store.ts";
import type { Part } from "../router.ts";

export function backupProcedures(
  context: Context & { takeFolder(): Promise<void> },
): Part<
  | "archive.check"
  | "archive.backup"
  | "archive.backupInfo"
  | "archive.restore"
  | "archive.setAside"
  | "archive.deleteSetAside"
> {
  const { archive, folders, gate, shell } = context;
  return {
    async *"archive.check"(_input, signal) {
      yield* (await archive.ready(signal)).checkArchive({}, signal);
    },

    async *"archive.backup"({ folder }, signal) {
      const api = await archive.ready(signal);
      const target = wholePath(folder);
      await makeEmptyFolder(target, folders.data);
      let finished = false;
      try {
        // Sealed as they are: whoever has the backup still needs the passphrase, key file or recovery key.
        await copyKeys(folders.data, target);
        for await (const event of api.backUp({ folder: path.join(target, archiveName) }, signal)) {
          // Before the event: whoever has the last one may not ask for another.
          finished = event.type === "done";
          yield event;
        }
      } catch (thrown) {
        throw ofTarget(thrown);
      } finally {
        if (!finished) await removeBackup(target);
      }
    },

    "archive.backupInfo": ({ folder }) => readBackupInfo(wholePath(folder), context),

    async *"archive.restore"({ folder, passphrase, recoveryKey, salvage, setAside }, signal) {
      const backup = wholePath(folder);
      await context.takeFolder();
      const isNew = (await gate.status()).state === "new";
      if (!isNew && !setAside) {
        throw appError(
          "bad-request",
          "This data folder has an archive already. Restore into an empty data folder.",
        );
      }
      const { keyFile } = folders;
      const keys = createKeyStore({ dataFolder: backup, keyFile, safeStorage: shell.safeStorage });
      if ((await keys.status()).state === "new") {
        throw appError("backup-damaged", "This folder holds no backup: it has no keys.json.");
      }
      // Before anything is moved: most restores fail by a mistyped key.
      const dataKey = await (recoveryKey === null ? keys.open(passphrase) : keys.openByRecovery(recoveryKey));
      const aside = isNew ? null : await setArchiveAside(context);
      const request = {
        backup: path.join(backup, archiveName),
        dataFolder: path.join(folders.data, archiveName),
        dataKey,
        salvage,
      };
      let finished = false;
      try {
        for await (const event of archive.bare().restoreBackup(request, signal)) {
          if (event.type === "done") {
            // Last: a folder with these keys is an archive. And before the event, as above.
            await copyKeys(backup, folders.data);
            gate.adopt(dataKey);
            finished = true;
          }
          yield event;
        }
      } finally {
        if (!finished) await aside?.putBack();
      }
    },

    "archive.setAside": () => listSetAside(folders.data),

    async "archive.deleteSetAside"({ name }) {
      // Who has the data folder, and no other program beside it.
      await context.takeFolder();
      await deleteSetAside(folders.data, name);
      return {};
    },
  };
}

/** A page has no folder of its own that a part of a path could start from. @throws bad-input */
function wholePath(folder: string): string {
  if (path.isAbsolute(folder)) return path.normalize(folder);
  throw appError("bad-input", "Give the whole path of the folder, from the root of its disk.");
}

/** @throws bad-input, disk-full, read-only */
async function makeEmptyFolder(target: string, dataFolder: string): Promise<void> {
  const made = await mkdir(target, { recursive: true, mode: 0o700 }).catch((thrown: unknown) => {
    const named = fileSystemError(thrown);
    throw named
      ? ofTarget(named)
      : appError("bad-input", "The folder for the backup cannot be made.", thrown);
  });
  const relative = path.relative(await realpath(dataFolder), await realpath(target));
  if (relative === "" || (!relative.startsWith("..") && !path.isAbsolute(relative))) {
    if (made !== undefined) await rm(made, { recursive: true });
    throw appError("bad-input", "A backup inside the data folder is lost with it. Choose another folder.");
  }
  if ((await readdir(target)).length > 0) {
    throw appError("bad-input", "The folder for the backup is not empty. Choose a new or an empty one.");
  }
}

/** The archive's own words for a full or read-only disk are about the data folder. */
function ofTarget(thrown: unknown): unknown {
  const code = thrown instanceof AppError ? thrown.code : null;
  if (code === "disk-full") {
    return appError("disk-full", "The disk of the backup is full. Choose one with more room.", thrown);
  }
  if (code === "read-only") {
    return appError("read-only", "The folder for the backup cannot be written to. Choose another.", thrown);
  }
  return thrown;
}

/** What was written, and nothing that somebody else put there meanwhile. */
async function removeBackup(folder: string): Promise<void> {
  for (const name of [archiveName, keysName])
    await rm(path.join(folder, name), { recursive: true, force: true });
}
