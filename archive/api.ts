import type { ApiKinds } from "../core/rpc.ts";
import type { FrameRef, FrameSummary, PixelFrame } from "../core/frame.ts";
import type { AnswerRecord } from "../core/question.ts";
import type { InstanceUid, Series, SeriesUid, Study, StudyUid } from "../core/study.ts";
import type {
  ArchiveHealth,
  DicomCheck,
  HeaderElement,
  ImportEvent,
  UnfinishedImport,
} from "../core/archive-events.ts";
import type { BackupEvent, CheckEvent } from "../core/maintenance.ts";
import type { StudyConflicts, Variant } from "../core/variant.ts";

export interface OpenArchive {
  readonly dataFolder: string;
  /** 32 random bytes. Travels by port only: never by argument, environment or file in the data folder. */
  readonly dataKey: Uint8Array;
}

export interface ImportRequest {
  readonly paths: readonly string[];
  /** The files will not be there later: an import that is cut short is not offered again. */
  readonly passing?: boolean;
}

export interface RestoreRequest extends OpenArchive {
  /** The folder that `backUp` wrote. */
  readonly backup: string;
  /** Takes what is whole of a damaged backup, instead of nothing. */
  readonly salvage: boolean;
}

/** A frame that is not archived: a DICOM file, a folder of one series, a PNG or JPEG. */
export interface FileSource {
  readonly path: string;
  /** Index into the files of a folder in display order; 0 for a single file. */
  readonly index: number;
  readonly frame: number;
}

export interface OpenedFiles {
  readonly files: readonly {
    readonly path: string;
    readonly sha256: string;
    readonly numberOfFrames: number;
  }[];
  readonly summary: FrameSummary | null;
}

export interface UploadChunk {
  readonly upload: string;
  /** The file's name with its folders, as the browser gives it. */
  readonly name: string;
  /** Bytes of this file before this part. */
  readonly offset: number;
  readonly chunk: Uint8Array;
  /** This part ends the file. */
  readonly last: boolean;
}

/** What the archive process does for the host. Each function takes one input and a signal. */
export interface ArchiveApi {
  open(input: OpenArchive, signal: AbortSignal): Promise<ArchiveHealth>;
  /**
   * Imports files, folders (recursive) and ZIPs; atomic per instance. Duplicates are counted; another file with a known
   * UID is kept beside the first, never in its place.
   */
  importPaths(input: ImportRequest, signal: AbortSignal): AsyncGenerator<ImportEvent, void, void>;
  /** Imports of paths that did not come to their end, and were not cancelled. */
  unfinishedImports(input: Record<string, never>, signal: AbortSignal): Promise<UnfinishedImport[]>;
  resumeImport(input: { id: string }, signal: AbortSignal): AsyncGenerator<ImportEvent, void, void>;
  forgetImport(input: { id: string }, signal: AbortSignal): Promise<void>;
  /** A part of a file that a browser sends. Files of an upload may interleave; one file's parts come in order. */
  uploadChunk(input: UploadChunk, signal: AbortSignal): Promise<void>;
  /** Imports the finished files of an upload as `importPaths` does, then forgets it. */
  importUpload(input: { upload: string }, signal: AbortSignal): AsyncGenerator<ImportEvent, void, void>;
  discardUpload(input: { upload: string }, signal: AbortSignal): Promise<void>;
  /** The same figures as `open` gave, as they are now. */
  health(input: Record<string, never>, signal: AbortSignal): Promise<ArchiveHealth>;
  /** Ends work in order before the process is ended; not needed for safety. */
  close(input: Record<string, never>, signal: AbortSignal): Promise<void>;
  listStudies(input: { search: string }, signal: AbortSignal): Promise<Study[]>;
  listSeries(input: { studyInstanceUid: StudyUid }, signal: AbortSignal): Promise<Series[]>;
  deleteStudy(input: { studyInstanceUid: StudyUid }, signal: AbortSignal): Promise<void>;
  checkArchive(input: Record<string, never>, signal: AbortSignal): AsyncGenerator<CheckEvent, void, void>;
  /** Into a new or empty folder, while other work goes on. */
  backUp(input: { folder: string }, signal: AbortSignal): AsyncGenerator<BackupEvent, void, void>;
  /** Into a data folder without an archive; no archive is open then. */
  restoreBackup(input: RestoreRequest, signal: AbortSignal): AsyncGenerator<BackupEvent, void, void>;
  readFrame(input: FrameRef, signal: AbortSignal): Promise<PixelFrame>;
  summariseFrame(input: FrameRef, signal: AbortSignal): Promise<FrameSummary>;
  /** Every element of the header with its keyword, for the header panel; bounded in length. */
  readHeader(input: { sopInstanceUid: InstanceUid }, signal: AbortSignal): Promise<HeaderElement[]>;
  listVariants(input: { studyInstanceUid: StudyUid }, signal: AbortSignal): Promise<Variant[]>;
  countVariants(input: Record<string, never>, signal: AbortSignal): Promise<StudyConflicts[]>;
  /** Shows this file from now on and keeps the one that was shown. @throws bad-input where it is of another series */
  chooseVariant(input: { id: string }, signal: AbortSignal): Promise<void>;
  readVariantFrame(input: { id: string; frame: number }, signal: AbortSignal): Promise<PixelFrame>;
  readVariantHeader(input: { id: string }, signal: AbortSignal): Promise<HeaderElement[]>;
  /** 8-bit grey or RGB PNG, long side at most 160 px. */
  thumbnail(input: { seriesInstanceUid: SeriesUid }, signal: AbortSignal): Promise<Uint8Array>;
  locate(
    input: { uid: string },
    signal: AbortSignal,
  ): Promise<
    | { type: "study"; series: Series[] }
    | { type: "series"; series: Series }
    | { type: "instance"; series: Series; sopInstanceUid: InstanceUid }
  >;
  saveAnswer(input: AnswerRecord, signal: AbortSignal): Promise<void>;
  listAnswers(input: { studyInstanceUid: StudyUid }, signal: AbortSignal): Promise<AnswerRecord[]>;
  readAnswer(input: { id: string }, signal: AbortSignal): Promise<AnswerRecord>;
  deleteAnswer(input: { id: string }, signal: AbortSignal): Promise<void>;
  /** Without importing; nothing is saved. */
  openFiles(input: { path: string }, signal: AbortSignal): Promise<OpenedFiles>;
  readFileFrame(input: FileSource, signal: AbortSignal): Promise<PixelFrame>;
  summariseFileFrame(input: FileSource, signal: AbortSignal): Promise<FrameSummary>;
  checkFiles(input: { paths: string[] }, signal: AbortSignal): AsyncGenerator<DicomCheck, void, void>;
  /** Writes the phantom studies (DICOM) into `folder`. */
  writeSample(input: { folder: string; seed: number }, signal: AbortSignal): Promise<{ files: string[] }>;
}

export const archiveKinds: ApiKinds<ArchiveApi> = {
  open: "call",
  importPaths: "stream",
  unfinishedImports: "call",
  resumeImport: "stream",
  forgetImport: "call",
  uploadChunk: "call",
  importUpload: "stream",
  discardUpload: "call",
  health: "call",
  close: "call",
  listStudies: "call",
  listSeries: "call",
  deleteStudy: "call",
  checkArchive: "stream",
  backUp: "stream",
  restoreBackup: "stream",
  readFrame: "call",
  summariseFrame: "call",
  readHeader: "call",
  listVariants: "call",
  countVariants: "call",
  chooseVariant: "call",
  readVariantFrame: "call",
  readVariantHeader: "call",
  thumbnail: "call",
  locate: "call",
  saveAnswer: "call",
  listAnswers: "call",
  readAnswer: "call",
  deleteAnswer: "call",
  openFiles: "call",
  readFileFrame: "call",
  summariseFileFrame: "call",
  checkFiles: "stream",
  writeSample: "call",
};
