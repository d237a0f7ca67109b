import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { appError } from "../../core/errors.ts";
import { notesSuffix } from "./weight-files.ts";

/** Changes when the importer writes other bytes for the same source: an older try cannot be gone on with then. */
const importerVersion = 1;
const stateName = "importing.json";

/** Milliseconds without a sign of life after which another import of the same name counts as broken off. */
const quietMs = 10 * 60_000;

export interface WorkKey {
  readonly source: string;
  readonly precision: string;
  readonly baseConfig: string | null;
  /** Absent: none. */
  readonly adapter?: string | null;
}

/**
 * The folder beside `target` in which its pack is made. A try of the same source that was broken off (by a power cut,
 * not by a cancel) is gone on with; one of another source is removed. @throws bad-input when an import is at work there
 */
export async function claimWorkFolder(target: string, key: WorkKey): Promise<string> {
  const folder = `${target}.importing`;
  const digest = await workDigest(key);
  const state = await readState(folder);
  if (state !== null && (await isAtWork(folder, state.pid))) {
    throw appError(
      "bad-input",
      "A pack of this name is being imported already. Wait for it or choose another name.",
    );
  }
  if (state?.digest !== digest) await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, stateName), JSON.stringify({ digest, pid: process.pid }), { flush: true });
  busy.add(folder);
  return folder;
}

/** What is left is the pack's alone. */
export async function finishWorkFolder(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name === stateName || name.endsWith(notesSuffix)) await rm(join(folder, name));
  }
  busy.delete(folder);
}

export async function removeWorkFolder(folder: string): Promise<void> {
  busy.delete(folder);
  await rm(folder, { recursive: true, force: true });
}

/** A sign of life, so that another process does not take the folder over; cheap to call often. */
export async function touchWorkFolder(folder: string): Promise<void> {
  const now = new Date();
  if (now.getTime() - touched < touchMs) return;
  touched = now.getTime();
  await utimes(join(folder, stateName), now, now).catch(() => undefined);
}

const busy = new Set<string>();
const touchMs = 30_000;
let touched = 0;

async function isAtWork(folder: string, pid: number): Promise<boolean> {
  if (pid === process.pid) return busy.has(folder);
  const info = await stat(join(folder, stateName)).catch(() => null);
  if (info === null || Date.now() - info.mtimeMs > quietMs) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    // Another user's process may not be asked, but it is there.
    return (thrown as { code?: unknown }).code === "EPERM";
  }
}

async function readState(folder: string): Promise<{ digest: string; pid: number } | null> {
  try {
    const state = JSON.parse(await readFile(join(folder, stateName), "utf8")) as Record<string, unknown>;
    const { digest, pid } = state;
    return typeof digest === "string" && typeof pid === "number" ? { digest, pid } : null;
  } catch {
    return null;
  }
}

/** Names, sizes and times of what is imported: enough to tell another checkpoint from the same one. */
async function workDigest({ source, precision, baseConfig, adapter = null }: WorkKey): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify([importerVersion, precision]));
  const files = (await stat(source)).isDirectory()
    ? (await readdir(source)).toSorted().map((name) => join(source, name))
    : [source];
  const others =
    adapter === null
      ? []
      : ["adapter_config.json", "adapter_model.safetensors"].map((name) => join(adapter, name));
  for (const file of [...files, ...(baseConfig === null ? [] : [baseConfig]), ...others]) {
    const { size, mtimeMs } = await stat(file).catch(() => ({ size: -1, mtimeMs: 0 }));
    hash.update(JSON.stringify([file, size, mtimeMs]));
  }
  return hash.digest("hex");
}
