import type { ImportCounts, ImportEvent } from "../../core/archive-events.ts";
import { AppError, type ErrorRecord, errorRecord, throwIfAborted } from "../../core/errors.ts";
import type { StudyUid } from "../../core/study.ts";
import type { ByteSource } from "../byte-source.ts";
import type { InstanceHeader } from "../instance-header.ts";
import type { ArchiveStore } from "../store/archive-store.ts";
import { type Batch, type Compare, createBatch } from "./batch.ts";
import type { Candidate, OpenCandidate } from "./candidate.ts";
import { createMedium, isDirectoryName, type Medium, readDirectory } from "./dicomdir.ts";
import { isZip, readZip, type UnpackBudget, unpackBudget } from "./read-zip.ts";

export interface ImportOptions {
  readonly store: ArchiveStore;
  readonly candidates: AsyncGenerator<Candidate, void, void>;
  /** @throws not-dicom, dicom-damaged */
  readonly readHeader: (source: ByteSource, signal: AbortSignal) => Promise<IncomingHeader>;
  /** For a file with the UID of another one. */
  readonly compare: Compare;
  /** What was gone through until now is in the archive. */
  readonly onCommit?: (counts: ImportCounts) => void;
  readonly signal: AbortSignal;
}

/** With what of the file cannot be shown, if anything. */
export type IncomingHeader = InstanceHeader & { readonly shortfall?: ErrorRecord | null };

/** A ZIP in a ZIP in a ZIP is read; one more is not. */
const deepestZip = 3;
const progressEveryMs = 100;
/** So that an import of few slow files still shows up in the worklist. */
const commitEveryMs = 2000;

/** Failures of the archive itself, after which going on would fail for each file. */
const endsImport = new Set(["disk-full", "read-only", "archive-damaged", "archive-locked", "cancelled"]);

interface Tally {
  found: number;
  counted: boolean;
  done: number;
  imported: number;
  duplicates: number;
  conflicts: number;
  ignored: number;
  failed: number;
  readonly studies: Set<StudyUid>;
}

/**
 * Brings candidates into the archive. What was reported as imported is durable; a cancelled or failed import leaves
 * nothing half-written, and importing again goes on where it stopped, because what is there counts as duplicate.
 */
export async function* importCandidates(options: ImportOptions): AsyncGenerator<ImportEvent, void, void> {
  const { store, candidates, signal } = options;
  const batch = createBatch(store, options.compare);
  const tally: Tally = {
    found: 0,
    counted: false,
    done: 0,
    imported: 0,
    duplicates: 0,
    conflicts: 0,
    ignored: 0,
    failed: 0,
    studies: new Set(),
  };
  const medium = createMedium();
  const queue = countAhead(candidates, tally);
  let [shownAt, committedAt] = [Date.now(), Date.now()];
  try {
    yield progress(tally);
    for await (const candidate of queue) {
      throwIfAborted(signal);
      for await (const failure of importOne(candidate, {
        options,
        batch,
        tally,
        medium,
        depth: 0,
        budget: null,
      })) {
        if (failure) yield failure;
        if (batch.isFull || Date.now() - committedAt > commitEveryMs) {
          yield* commit(batch, tally, options);
          committedAt = Date.now();
          // What is durable is told at once.
          shownAt = 0;
        }
        if (Date.now() - shownAt > progressEveryMs) {
          yield progress(tally);
          shownAt = Date.now();
        }
      }
    }
    yield* commit(batch, tally, options);
    yield* warningsOf(medium);
    yield progress(tally);
    const { imported, duplicates, conflicts, ignored, failed, studies } = tally;
    yield { type: "done", imported, duplicates, conflicts, ignored, failed, studies: [...studies] };
  } finally {
    await queue.return();
    await batch.discard();
  }
}

type Step = Extract<ImportEvent, { type: "failed" | "partial" | "warning" }> | null;

interface Run {
  readonly options: ImportOptions;
  readonly batch: Batch;
  readonly tally: Tally;
  /** The folder, upload or ZIP that the candidate lies in. */
  readonly medium: Medium;
  /** ZIPs around it, and what the outermost may still unpack to. */
  readonly depth: number;
  readonly budget: UnpackBudget | null;
}

/** A step for the candidate and for each file in it; null is one without failure. */
async function* importOne(candidate: Candidate, run: Run): AsyncGenerator<Step, void, void> {
  const { options, batch, tally, medium, depth } = run;
  const { store, readHeader, signal } = options;
  let open: OpenCandidate | null = null;
  try {
    medium.saw(candidate.path);
    open = await candidate.open();
    const { source } = open;
    if (isDirectoryName(candidate.name)) {
      medium.hasDirectory(candidate.path, await readDirectory(source, signal));
      tally.ignored += 1;
    } else if (depth < deepestZip && (await isZip(source))) {
      const within = createMedium();
      const budget = run.budget ?? unpackBudget(source);
      for await (const inside of readZip(source, { spools: store.spools, budget }, signal)) {
        tally.found += 1;
        yield* importOne(inside, { ...run, medium: within, depth: depth + 1, budget });
      }
      yield* warningsOf(within);
    } else {
      const header = await readHeader(source, signal);
      const { duplicate, study } = await batch.add({ name: candidate.name, header, source }, signal);
      if (duplicate) tally.duplicates += 1;
      tally.studies.add(study);
      if (header.shortfall) yield { type: "partial", name: candidate.name, error: header.shortfall };
    }
    tally.done += 1;
    yield null;
  } catch (thrown) {
    if (signal.aborted || (thrown instanceof AppError && endsImport.has(thrown.code))) throw thrown;
    tally.done += 1;
    if (thrown instanceof AppError && thrown.code === "not-dicom") {
      tally.ignored += 1;
      yield null;
    } else if (thrown instanceof AppError && thrown.code === "dicomdir-damaged") {
      tally.ignored += 1;
      yield { type: "warning", name: candidate.name, error: errorRecord(thrown) };
    } else {
      tally.failed += 1;
      const error: ErrorRecord = errorRecord(thrown);
      yield { type: "failed", name: candidate.name, error };
    }
  } finally {
    await open?.close();
  }
}

function* warningsOf(medium: Medium): Generator<Extract<ImportEvent, { type: "warning" }>, void, void> {
  for (const warning of medium.warnings()) yield { type: "warning", ...warning };
}

async function* commit(
  batch: Batch,
  tally: Tally,
  { onCommit }: ImportOptions,
): AsyncGenerator<ImportEvent, void, void> {
  const { done, found, counted } = tally;
  const { imported, duplicates, conflicts } = await batch.commit();
  onCommit?.({ done, found, counted });
  tally.imported += imported;
  tally.duplicates += duplicates;
  tally.conflicts += conflicts.length;
  for (const conflict of conflicts) yield { type: "conflict", ...conflict };
}

function progress({ found, counted, done }: Tally): ImportEvent {
  return { type: "progress", found, counted, done };
}

/** Walks ahead of the import, so that the progress has an end to show. */
async function* countAhead(
  candidates: AsyncGenerator<Candidate, void, void>,
  tally: Tally,
): AsyncGenerator<Candidate, void, void> {
  const waiting: Candidate[] = [];
  let failure: { thrown: unknown } | null = null;
  let wake = () => {};
  const walk = (async () => {
    try {
      for await (const candidate of candidates) {
        waiting.push(candidate);
        tally.found += 1;
        wake();
      }
    } catch (thrown) {
      failure = { thrown };
    }
    tally.counted = true;
    wake();
  })();
  try {
    for (;;) {
      while (waiting.length > 0) yield waiting.shift()!;
      if (failure) throw (failure as { thrown: unknown }).thrown;
      if (tally.counted) return;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    await candidates.return();
    await walk;
  }
}
