import { createHash } from "node:crypto";
import { constants, mkdir, open } from "node:fs/promises";
import path from "node:path";
import { throwIfAborted } from "../../core/errors.ts";
import { naming } from "./durable.ts";

const chunkBytes = 1024 ** 2;

/**
 * Copies a file, syncs the copy and gives the digest of what was copied. Links are not followed, and nothing is
 * written over.
 * @throws disk-full, read-only, cancelled, and what opening and reading throw
 */
export async function copyFileWithDigest(
  from: string,
  to: string,
  signal: AbortSignal,
): Promise<{ sha256: string; bytes: number }> {
  const source = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    await naming(() => mkdir(path.dirname(to), { recursive: true, mode: 0o700 }));
    const target = await naming(() => open(to, "wx", 0o600));
    try {
      const hash = createHash("sha256");
      const chunk = Buffer.alloc(chunkBytes);
      let bytes = 0;
      for (;;) {
        throwIfAborted(signal);
        const { bytesRead } = await source.read(chunk, 0, chunkBytes, bytes);
        if (bytesRead === 0) break;
        const part = chunk.subarray(0, bytesRead);
        hash.update(part);
        await naming(() => target.writeFile(part));
        bytes += bytesRead;
      }
      await naming(() => target.sync());
      return { sha256: hash.digest("hex"), bytes };
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}
