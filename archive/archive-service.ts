import type { ImportCounts } from "../core/archive-events.ts";
import { AppError, appError } from "../core/errors.ts";
import type { ArchiveApi, OpenArchive } from "./api.ts";
import type { ByteSource } from "./byte-source.ts";
import { compareFiles } from "./compare-files.ts";
import { checkFiles } from "./dicom/check-files.ts";
import { loadDictionary } from "./dicom/dictionary.ts";
import { headerElements } from "./dicom/header-elements.ts";
import { parseHeader } from "./dicom/parse-header.ts";
import { readFrame } from "./dicom/read-frame.ts";
import { instanceHeader } from "./dicom/read-instance.ts";
import { shortfallOf } from "./dicom/shortfall.ts";
import type { Candidate } from "./import/candidate.ts";
import { importCandidates, type ImportOptions, type IncomingHeader } from "./import/import-candidates.ts";
import { createUploads, type Uploads } from "./import/uploads.ts";
import { walkFiles } from "./import/walk-files.ts";
import { createLooseFiles } from "./loose-files.ts";
import { createOpenedHeaders, type OpenedHeaders } from "./opened-headers.ts";
import { type ArchiveStore, openArchiveStore } from "./store/archive-store.ts";
import { withExchange } from "./store/exchanged-answers.ts";
import { restoreBackup } from "./store/restore-backup.ts";
import { publicVariant } from "./store/variants.ts";
import { readThumbnail } from "./thumbnail.ts";
import { writeSample } from "./sample/write-sample.ts";

interface Opened {
  readonly dataFolder: string;
  readonly store: ArchiveStore;
  readonly uploads: Uploads;
  readonly headers: OpenedHeaders;
}

/** The archive process behind its port: one archive, opened by the host with its key. */
export function createArchiveService(): ArchiveApi {
  let opened: Opened | null = null;
  const loose = createLooseFiles();

  function current(): Opened {
    if (!opened) throw appError("archive-locked", "The archive is not open yet.");
    return opened;
  }

  async function open({ dataFolder, dataKey }: OpenArchive) {
    if (opened?.dataFolder === dataFolder) return opened.store.health();
    await close();
    const store = await openArchiveStore({ dataFolder, dataKey, readHeader });
    const uploads = createUploads(store.spools);
    opened = { dataFolder, store, uploads, headers: createOpenedHeaders(store) };
    return store.health();
  }

  async function close(): Promise<void> {
    const closing = opened;
    opened = null;
    await closing?.uploads.discardAll();
    await closing?.store.close();
  }

  function importAll(
    candidates: AsyncGenerator<Candidate, void, void>,
    signal: AbortSignal,
    options: Pick<ImportOptions, "onCommit"> = {},
  ) {
    const { store } = current();
    return importCandidates({
      store,
      candidates,
      readHeader: readIncoming,
      compare: compareFiles,
      signal,
      ...options,
    });
  }

  async function* importPaths(paths: readonly string[], signal: AbortSignal) {
    const { journal } = current().store;
    const { id, isNew } = journal.begin(paths);
    try {
      const onCommit = (counts: ImportCounts) => journal.reached(id, counts);
      for await (const event of importAll(walkFiles(paths, signal), signal, { onCommit })) {
        // Before the event: whoever has the last one may not ask for another.
        if (event.type === "done") journal.end(id);
        yield event;
      }
    } catch (thrown) {
      // What the user stopped or mistyped is not offered again; what a full disk or a missing medium stopped is.
      const mistyped = isNew && thrown instanceof AppError && thrown.code === "file-not-found";
      if (signal.aborted || mistyped) journal.end(id);
      else journal.leave(id);
      throw thrown;
    }
  }

  return {
    open,
    close,
    health: async () => current().store.health(),

    importPaths: ({ paths, passing = false }, signal) =>
      passing ? importAll(walkFiles(paths, signal), signal) : importPaths(paths, signal),
    async unfinishedImports() {
      return current()
        .store.journal.unfinished()
        .map((one) => ({ ...one, paths: [...one.paths], progress: one.progress ?? null }));
    },
    async *resumeImport({ id }, signal) {
      yield* importPaths(current().store.journal.read(id).paths, signal);
    },
    forgetImport: async ({ id }) => current().store.journal.end(id),
    uploadChunk: (chunk) => current().uploads.receive(chunk),
    async *importUpload({ upload }, signal) {
      const { uploads } = current();
      try {
        yield* importAll(uploads.candidates(upload), signal);
      } finally {
        await uploads.discard(upload);
      }
    },
    discardUpload: ({ upload }) => current().uploads.discard(upload),

    listStudies: async ({ search }) => current().store.catalog.studies(search),
    listSeries: async ({ studyInstanceUid }) => current().store.catalog.series(studyInstanceUid),
    async deleteStudy({ studyInstanceUid }) {
      const { store, headers } = current();
      headers.forget();
      await store.deleteStudy(studyInstanceUid);
    },
    checkArchive: (_input, signal) => current().store.check(signal),
    backUp: ({ folder }, signal) => current().store.backUp(folder, signal),
    restoreBackup(request, signal) {
      if (opened) throw appError("bad-request", "An archive is open. Restore into an empty data folder.");
      return restoreBackup(request, signal);
    },
    locate: async ({ uid }) => current().store.catalog.locate(uid),

    async readFrame({ sopInstanceUid, frame }, signal) {
      return readFrame(await current().headers.of(sopInstanceUid, signal), frame, signal);
    },
    summariseFrame: async (frame) => current().store.catalog.summary(frame),
    async readHeader({ sopInstanceUid }, signal) {
      return headerElements(await current().headers.of(sopInstanceUid, signal), await loadDictionary());
    },
    listVariants: async ({ studyInstanceUid }) =>
      current().store.variants.ofStudy(studyInstanceUid).map(publicVariant),
    countVariants: async () => current().store.variants.counts(),
    async chooseVariant({ id }, signal) {
      const { store, headers } = current();
      headers.forget();
      const compare = (files: Parameters<typeof compareFiles>[0]) => compareFiles(files, signal);
      await store.chooseVariant(id, { readHeader, compare });
    },
    async readVariantFrame({ id, frame }, signal) {
      const { store, headers } = current();
      return readFrame(await headers.ofObject(store.variants.read(id).object, signal), frame, signal);
    },
    async readVariantHeader({ id }, signal) {
      const { store, headers } = current();
      const header = await headers.ofObject(store.variants.read(id).object, signal);
      return headerElements(header, await loadDictionary());
    },
    async thumbnail({ seriesInstanceUid }, signal) {
      const { store, headers } = current();
      return readThumbnail(store, headers, { series: seriesInstanceUid, signal });
    },

    saveAnswer: async (answer) => current().store.answers.save(answer),
    async listAnswers({ studyInstanceUid }) {
      const { answers, variants } = current().store;
      return answers.ofStudy(studyInstanceUid).map((answer) => withExchange(answer, variants));
    },
    async readAnswer({ id }) {
      const { answers, variants } = current().store;
      return withExchange(answers.read(id), variants);
    },
    deleteAnswer: async ({ id }) => current().store.answers.remove(id),

    openFiles: ({ path }, signal) => loose.open(path, signal),
    readFileFrame: (source, signal) => loose.frame(source, signal),
    summariseFileFrame: (source, signal) => loose.summary(source, signal),
    checkFiles,
    writeSample,
  };
}

async function readIncoming(source: ByteSource, signal: AbortSignal): Promise<IncomingHeader> {
  const header = await parseHeader(source, signal);
  return { ...instanceHeader(header), shortfall: await shortfallOf(header, signal) };
}

async function readHeader(source: ByteSource, signal?: AbortSignal) {
  return instanceHeader(await parseHeader(source, signal));
}
