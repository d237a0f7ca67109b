import type { ImportStep } from "./run-import.ts";

/** What became of files that need a word: refused, taken in part, kept beside another, or about the whole medium. */
export type NoteKind = "failed" | "partial" | "conflict" | "warning";

/** The files that one reason holds for. */
export interface ImportNote {
  readonly kind: NoteKind;
  readonly code: string;
  readonly message: string;
  /** The first of them; `count` has all. */
  readonly names: readonly string[];
  readonly count: number;
  /** Studies with conflicts among them, so that they can be compared. */
  readonly studies: readonly string[];
}

export interface ImportReport {
  readonly imported: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly ignored: number;
  readonly failed: number;
}

export interface ImportProgress {
  readonly words: string;
  /** 0..1; null while the length is not known. */
  readonly fraction: number | null;
  /** By kind and reason, in the order in which they came up. */
  readonly notes: readonly ImportNote[];
  /** Files whose reason is not among `notes`, by kind. */
  readonly more: Readonly<Record<NoteKind, number>>;
  readonly report: ImportReport | null;
}

export const startOfImport: ImportProgress = {
  words: "Starting",
  fraction: null,
  notes: [],
  more: { failed: 0, partial: 0, conflict: 0, warning: 0 },
  report: null,
};

/** A folder of a million wrong files must not fill the window's memory. */
const notesKept = 100;
const namesKept = 100;

const conflictWords =
  "The archive holds another file with the same identifier and other content. Both are kept; the study shows the one that came first.";

export function foldImport(progress: ImportProgress, step: ImportStep): ImportProgress {
  switch (step.type) {
    case "upload": {
      const fraction = step.files === 0 ? null : step.sent / step.files;
      return { ...progress, words: `Reading ${step.sent} of ${step.files} files`, fraction };
    }
    case "progress": {
      const words = `Importing ${step.done} of ${step.found} files${step.counted ? "" : " found so far"}`;
      return { ...progress, words, fraction: step.counted && step.found > 0 ? step.done / step.found : null };
    }
    case "failed":
    case "partial":
    case "warning":
      return noted(progress, { kind: step.type, ...step.error, name: step.name, study: null });
    case "conflict": {
      const reason = { kind: "conflict", code: "", message: conflictWords } as const;
      return noted(progress, { ...reason, name: step.name, study: step.variant.studyInstanceUid });
    }
    case "done": {
      const { imported, duplicates, conflicts, ignored, failed } = step;
      const report = { imported, duplicates, conflicts, ignored, failed };
      return { ...progress, words: "Done", fraction: 1, report };
    }
  }
}

interface NewNote extends Pick<ImportNote, "kind" | "code" | "message"> {
  readonly name: string;
  readonly study: string | null;
}

function noted(progress: ImportProgress, { name, study, ...reason }: NewNote): ImportProgress {
  const { notes, more } = progress;
  const at = notes.findIndex(
    ({ kind, code, message }) => kind === reason.kind && code === reason.code && message === reason.message,
  );
  const known = notes[at];
  if (!known) {
    if (notes.length >= notesKept) {
      return { ...progress, more: { ...more, [reason.kind]: more[reason.kind] + 1 } };
    }
    const first: ImportNote = { ...reason, names: [name], count: 1, studies: study === null ? [] : [study] };
    return { ...progress, notes: [...notes, first] };
  }
  const grown: ImportNote = {
    ...known,
    count: known.count + 1,
    names: known.names.length < namesKept ? [...known.names, name] : known.names,
    studies: study === null || known.studies.includes(study) ? known.studies : [...known.studies, study],
  };
  return { ...progress, notes: notes.with(at, grown) };
}

/** "Imported 20 images. 3 were there already." */
export function reportText(report: ImportReport): string {
  const { imported } = report;
  const taken = imported === 1 ? "Imported 1 image." : `Imported ${imported} images.`;
  const parts = [imported === 0 ? "No new images." : taken];
  const counted = (count: number, one: string, many: string) => {
    if (count > 0) parts.push(count === 1 ? `1 ${one}` : `${count} ${many}`);
  };
  counted(report.duplicates, "was there already.", "were there already.");
  counted(report.ignored, "file is not DICOM.", "files are not DICOM.");
  return parts.join(" ");
}

export interface NoteGroup {
  readonly kind: NoteKind;
  readonly title: string;
  readonly notes: readonly ImportNote[];
  readonly more: number;
}

const groupTitles = {
  failed: ["1 file could not be read", "files could not be read"],
  partial: ["1 file cannot be shown as a whole", "files cannot be shown as a whole"],
  conflict: [
    "1 file has the identifier of another image and other content",
    "files have the identifier of another image and other content",
  ],
  warning: ["1 note about the disc or folder", "notes about the disc or folder"],
} as const satisfies Record<NoteKind, readonly [string, string]>;

/** What needs a word, gravest first. */
export function noteGroups({ notes, more }: Pick<ImportProgress, "notes" | "more">): readonly NoteGroup[] {
  return (["failed", "partial", "conflict", "warning"] as const).flatMap((kind) => {
    const ofKind = notes.filter((note) => note.kind === kind);
    const count = ofKind.reduce((sum, note) => sum + note.count, more[kind]);
    if (count === 0) return [];
    const [one, many] = groupTitles[kind];
    return [{ kind, title: count === 1 ? one : `${count} ${many}`, notes: ofKind, more: more[kind] }];
  });
}
