import { open } from "node:fs/promises";
import path from "node:path";
import { appError } from "../core/errors.ts";
import type { ByteSource } from "./byte-source.ts";

/** A plain file of the user's as octets; close it. */
export interface FileByteSource extends ByteSource {
  close(): Promise<void>;
}

/** @throws file-not-found, bad-input where it is no plain file or cannot be read */
export async function openFileSource(file: string): Promise<FileByteSource> {
  const handle = await open(file, "r").catch((thrown: unknown) => {
    throw unreadable(file, thrown);
  });
  const facts = await handle.stat();
  if (!facts.isFile()) {
    await handle.close();
    throw appError("bad-input", `${path.basename(file)} is no file.`);
  }
  const { size } = facts;

  async function read(offset: number, length: number): Promise<Uint8Array> {
    const wanted = Math.max(0, Math.min(length, size - offset));
    const octets = new Uint8Array(wanted);
    let filled = 0;
    while (filled < wanted) {
      const { bytesRead } = await handle
        .read(octets, filled, wanted - filled, offset + filled)
        .catch((thrown: unknown) => {
          throw unreadable(file, thrown);
        });
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return octets.subarray(0, filled);
  }

  return { size, read, close: () => handle.close() };
}

function unreadable(file: string, cause: unknown): Error {
  const name = path.basename(file);
  const code = (cause as { code?: unknown }).code;
  return code === "ENOENT" || code === "ENOTDIR"
    ? appError("file-not-found", `${name} was not found.`, cause)
    : appError(
        "bad-input",
        `${name} cannot be read (${String(code)}). Check its permissions and the medium.`,
        cause,
      );
}
