import { open, type FileHandle } from "node:fs/promises";
import { appError } from "../../core/errors.ts";

/** A file that is read by position, so that a checkpoint of any size needs no more memory than one tensor. */
export interface ByteSource {
  /** Bytes. */
  readonly size: number;
  /** Reads exactly `length` bytes; `model-file-damaged` when the file ends before. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

export async function openByteSource(path: string): Promise<ByteSource> {
  let handle: FileHandle;
  try {
    handle = await open(path, "r");
  } catch (cause) {
    throw appError(
      "file-not-found",
      "The model file cannot be opened. Check the path and its permissions.",
      cause,
    );
  }
  const stat = await handle.stat();
  if (!stat.isFile()) {
    await handle.close();
    throw appError("bad-input", "The model file is not a regular file.");
  }
  const size = stat.size;
  return {
    size,
    read: (offset, length) => readExactly(handle, { offset, length, size }),
    close: () => handle.close(),
  };
}

/** Bytes in memory behind the same interface: for tests and for small files. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    async read(offset, length) {
      checkRange({ offset, length, size: bytes.length });
      return bytes.slice(offset, offset + length);
    },
    async close() {},
  };
}

interface Range {
  readonly offset: number;
  readonly length: number;
  readonly size: number;
}

function checkRange({ offset, length, size }: Range): void {
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    throw appError("model-file-damaged", "The model file declares a position that is not a number of bytes.");
  }
  if (offset > size || length > size - offset) {
    throw appError("model-file-damaged", "The model file ends before its declared contents. Copy it again.");
  }
}

async function readExactly(handle: FileHandle, range: Range): Promise<Uint8Array> {
  checkRange(range);
  const bytes = new Uint8Array(range.length);
  let done = 0;
  while (done < range.length) {
    const { bytesRead } = await handle.read(bytes, done, range.length - done, range.offset + done);
    if (bytesRead === 0)
      throw appError("model-file-damaged", "The model file became shorter while it was read.");
    done += bytesRead;
  }
  return bytes;
}
