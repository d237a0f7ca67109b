import { appError } from "../../core/errors.ts";
import type { UploadChunk } from "../api.ts";
import type { Spool, SpoolFolder } from "../store/spool.ts";
import { type Candidate, lastName } from "./candidate.ts";

/** Files that a browser sends in parts, kept in spools until they are imported or forgotten. */
export interface Uploads {
  /** @throws bad-request where parts come out of order, too-large, disk-full */
  receive(chunk: UploadChunk): Promise<void>;
  /** The finished files; each is forgotten when it is closed, the upload when all were taken. */
  candidates(upload: string): AsyncGenerator<Candidate, void, void>;
  discard(upload: string): Promise<void>;
  discardAll(): Promise<void>;
}

interface Upload {
  readonly files: Map<string, { spool: Spool; finished: boolean }>;
  touchedAt: number;
}

/** A page that was closed in mid-upload never says so. */
const forgottenAfterMs = 60 * 60 * 1000;
const mostFiles = 500_000;

export function createUploads(spools: SpoolFolder): Uploads {
  const uploads = new Map<string, Upload>();

  async function receive({ upload: id, name, offset, chunk, last }: UploadChunk): Promise<void> {
    await forgetOld();
    const upload = uploads.get(id) ?? { files: new Map(), touchedAt: 0 };
    uploads.set(id, upload);
    upload.touchedAt = Date.now();
    if (offset === 0) await restart(upload, name);
    const file = upload.files.get(name);
    if (!file || file.finished || file.spool.size !== offset) {
      throw appError("bad-request", "The parts of this file came out of order. Send it again.");
    }
    await file.spool.append(chunk);
    file.finished = last;
  }

  /** A file that is sent again from its start replaces what came before. */
  async function restart(upload: Upload, name: string): Promise<void> {
    if (upload.files.size >= mostFiles)
      throw appError("too-large", "The upload has more than 500,000 files.");
    await upload.files.get(name)?.spool.discard();
    upload.files.set(name, { spool: spools.create(), finished: false });
  }

  async function* candidates(id: string): AsyncGenerator<Candidate, void, void> {
    const upload = uploads.get(id);
    if (!upload) throw appError("not-found", "This upload is not there any more. Send the files again.");
    for (const [name, { spool, finished }] of upload.files) {
      if (!finished) continue;
      yield {
        name: lastName(name),
        path: name,
        open: async () => ({ source: await spool.source(), close: () => spool.discard() }),
      };
    }
  }

  async function discard(id: string): Promise<void> {
    const upload = uploads.get(id);
    uploads.delete(id);
    for (const { spool } of upload?.files.values() ?? []) await spool.discard();
  }

  async function forgetOld(): Promise<void> {
    for (const [id, { touchedAt }] of uploads) {
      if (touchedAt > 0 && Date.now() - touchedAt > forgottenAfterMs) await discard(id);
    }
  }

  return {
    receive,
    candidates,
    discard,
    async discardAll() {
      for (const id of uploads.keys()) await discard(id);
    },
  };
}
