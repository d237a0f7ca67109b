import { open } from "node:fs/promises";
import path from "node:path";
import * as v from "valibot";
import { appError } from "../core/errors.ts";
import type { BackupInfo } from "../core/maintenance.ts";
import type { Context } from "./context.ts";
import { archiveName } from "./folders.ts";
import { createKeyStore } from "./keys/key-store.ts";

/** docs/formats/backup.md. What it says is proven by its seal, which needs the key. */
const contentSchema = v.object({
  format: v.number(),
  madeAt: v.string(),
  studies: v.number(),
  images: v.number(),
  bytes: v.number(),
});

const largest = 64 * 1024;

/**
 * What a folder says of the backup in it, and what opens it on this computer.
 * @throws backup-damaged where it holds none that was finished, archive-too-new
 */
export async function readBackupInfo(
  folder: string,
  { folders, shell }: Pick<Context, "folders" | "shell">,
): Promise<BackupInfo> {
  const { keyFile } = folders;
  const keys = createKeyStore({ dataFolder: folder, keyFile, safeStorage: shell.safeStorage });
  const status = await keys.status();
  const content = await readContent(path.join(folder, archiveName, "backup.json"));
  if (status.state === "new" || content === null) {
    throw appError(
      "backup-damaged",
      "This folder holds no finished backup. Choose the folder that was given when the backup was made.",
    );
  }
  if (content.format > 1) {
    throw appError(
      "archive-too-new",
      "This backup was made by a newer version of the app. Install that version.",
    );
  }
  const { madeAt, studies, images, bytes } = content;
  const { protection } = status;
  const asked = protection === "passphrase" ? "passphrase" : "recovery-key";
  const needs = status.state === "open" ? "nothing" : asked;
  return { madeAt, studies, images, bytes, protection, needs };
}

async function readContent(file: string): Promise<v.InferOutput<typeof contentSchema> | null> {
  try {
    const handle = await open(file, "r");
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(largest), 0, largest, 0);
      const parsed = v.safeParse(contentSchema, JSON.parse(buffer.toString("utf8", 0, bytesRead)));
      return parsed.success ? parsed.output : null;
    } finally {
      await handle.close();
    }
  } catch {
    // Missing, unreadable or no JSON: there is no finished backup.
    return null;
  }
}
