import { readdir } from "node:fs/promises";
import path from "node:path";
import { appError, toAppError } from "../../core/errors.ts";
import type { ArchiveStatus } from "../../core/settings.ts";
import type { Context } from "../context.ts";
import type { Part } from "../router.ts";

export function archiveProcedures(
  context: Context,
): Part<"archive.status" | "archive.create" | "archive.unlock" | "archive.recover"> {
  const { gate, archive } = context;
  return {
    "archive.status": (_input, signal) => status(context, signal),
    async "archive.create"({ protection, passphrase }, signal) {
      await refuseLeftovers(path.join(context.folders.data, "archive"));
      const { recoveryKey } = await gate.create(protection, passphrase);
      await archive.ready(signal);
      return { recoveryKey };
    },
    async "archive.unlock"({ passphrase }, signal) {
      await gate.unlock(passphrase);
      await archive.ready(signal);
      return {};
    },
    async "archive.recover"(request, signal) {
      await gate.recover(request);
      await archive.ready(signal);
      return {};
    },
  };
}

/**
 * Files of an archive without its keys: new keys would not open them, and would be in the way of the right ones.
 * @throws archive-locked, bad-request
 */
async function refuseLeftovers(folder: string): Promise<void> {
  const names = await readdir(folder).catch((): string[] => []);
  if (names.includes("archive.restore")) {
    throw appError("bad-request", "A restore into this data folder was cut short. Restore the backup again.");
  }
  const objects = await readdir(path.join(folder, "objects")).catch((): string[] => []);
  if (objects.length > 0) {
    throw appError(
      "archive-locked",
      "The data folder holds an archive whose keys.json is missing. Put it back, or choose another data folder.",
    );
  }
}

async function status(context: Context, signal: AbortSignal): Promise<ArchiveStatus> {
  const dataFolder = context.folders.data;
  try {
    const keys = await context.gate.status();
    if (keys.state === "new") return { ...keys, dataFolder };
    if (keys.state === "locked") return keys;
    const health = await (await context.archive.ready(signal)).health({}, signal);
    return {
      state: "ready",
      protection: keys.protection,
      dataFolder,
      studies: health.studies,
      instances: health.instances,
      bytes: health.bytes,
      repairs: [...context.gate.repairs()],
    };
  } catch (thrown) {
    // A state, not a failed call: the page shows what happened and what to do about it.
    const { code, message, cause } = toAppError(thrown);
    if (code === "cancelled") throw thrown;
    context.log.write({ where: "archive.status", what: code, cause });
    return { state: "failed", code, message };
  }
}
