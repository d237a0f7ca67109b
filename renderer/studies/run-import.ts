import type { ImportEvent } from "../../core/archive-events.ts";
import type { Client } from "../../core/client.ts";
import { throwIfAborted } from "../../core/errors.ts";
import type { FileToImport } from "./dropped-files.ts";

export type ImportSource =
  | { readonly type: "files"; readonly files: readonly FileToImport[] }
  | { readonly type: "paths"; readonly paths: readonly string[] }
  | { readonly type: "sample" }
  /** One that was cut short, by its id. */
  | { readonly type: "resume"; readonly id: string };

export type ImportStep =
  { readonly type: "upload"; readonly sent: number; readonly files: number } | ImportEvent;

const uploadsAtOnce = 3;

/** Imports from any source; stops when `signal` fires, and then nothing uploaded stays behind. */
export async function* runImport(
  client: Client,
  source: ImportSource,
  signal: AbortSignal,
): AsyncGenerator<ImportStep, void, void> {
  if (source.type === "sample") {
    yield* client.stream("imports.sample", {}, signal);
  } else if (source.type === "resume") {
    yield* client.stream("imports.resume", { id: source.id }, signal);
  } else if (source.type === "paths") {
    yield* client.stream("imports.paths", { paths: source.paths.slice() }, signal);
  } else {
    yield* uploadAndImport(client, source.files, signal);
  }
}

async function* uploadAndImport(
  client: Client,
  files: readonly FileToImport[],
  signal: AbortSignal,
): AsyncGenerator<ImportStep, void, void> {
  const upload = crypto.randomUUID();
  let finished = false;
  try {
    yield { type: "upload", sent: 0, files: files.length };
    for (let start = 0; start < files.length; start += uploadsAtOnce) {
      throwIfAborted(signal);
      const batch = files.slice(start, start + uploadsAtOnce);
      await Promise.all(
        batch.map(({ name, file }) =>
          client.upload("imports.upload", { input: { upload, name: name.slice(-1024) }, body: file }, signal),
        ),
      );
      yield { type: "upload", sent: start + batch.length, files: files.length };
    }
    yield* client.stream("imports.finish", { upload }, signal);
    finished = true;
  } finally {
    // Without the signal: it has fired by now, and the host must still be told.
    if (!finished) await client.call("imports.discard", { upload }).catch(() => undefined);
  }
}
