import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type { Context } from "../context.ts";
import type { Part } from "../router.ts";

/** A part of an uploaded file on its way to the archive process: large enough to be quick, small enough to copy. */
const chunkBytes = 1024 * 1024;

const sampleSeed = 1;

export function importProcedures(
  context: Context,
): Part<
  | "imports.paths"
  | "imports.unfinished"
  | "imports.resume"
  | "imports.forget"
  | "imports.upload"
  | "imports.finish"
  | "imports.discard"
  | "imports.sample"
> {
  const archive = (signal: AbortSignal) => context.archive.ready(signal);
  return {
    async *"imports.paths"(input, signal) {
      yield* (await archive(signal)).importPaths(input, signal);
    },

    "imports.unfinished": async (_input, signal) => (await archive(signal)).unfinishedImports({}, signal),
    async *"imports.resume"(input, signal) {
      yield* (await archive(signal)).resumeImport(input, signal);
    },
    async "imports.forget"(input, signal) {
      await (await archive(signal)).forgetImport(input, signal);
      return {};
    },

    /** Straight from the request to the archive process, which encrypts: never into a file here. */
    async "imports.upload"({ input, body }, signal) {
      const api = await archive(signal);
      let received = 0;
      for await (const { chunk, last } of inChunks(body)) {
        await api.uploadChunk({ ...input, offset: received, chunk, last }, signal);
        received += chunk.length;
      }
      return { received };
    },

    async *"imports.finish"(input, signal) {
      yield* (await archive(signal)).importUpload(input, signal);
    },

    async "imports.discard"(input, signal) {
      await (await archive(signal)).discardUpload(input, signal);
      return {};
    },

    async *"imports.sample"(_input, signal) {
      const api = await archive(signal);
      // Phantoms made by code: the only images that ever lie in a folder unencrypted, and nobody's.
      const folder = await mkdtemp(path.join(os.tmpdir(), "meditron-sample-"));
      try {
        // Drawing the phantoms takes seconds before the first file can be counted.
        yield { type: "progress", found: 0, counted: false, done: 0 };
        await api.writeSample({ folder, seed: sampleSeed }, signal);
        yield* api.importPaths({ paths: [folder], passing: true }, signal);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

/** The same octets in parts of `chunkBytes`; at least one part, and exactly one is the last. */
export async function* inChunks(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ chunk: Uint8Array; last: boolean }, void, void> {
  let parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of body) {
    for (let start = 0; start < part.length;) {
      if (length === chunkBytes) {
        yield { chunk: joined(parts, length), last: false };
        [parts, length] = [[], 0];
      }
      const piece = part.subarray(start, start + chunkBytes - length);
      parts.push(piece);
      length += piece.length;
      start += piece.length;
    }
  }
  yield { chunk: joined(parts, length), last: true };
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}
