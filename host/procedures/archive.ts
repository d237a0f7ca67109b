import { toAppError } from "../../core/errors.ts";
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
