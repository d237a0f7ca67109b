import type { ImportStep } from "./run-import.ts";

export interface ImportFailure {
  readonly name: string;
  readonly code: string;
  readonly message: string;
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
  readonly failures: readonly ImportFailure[];
  /** Failures beyond those kept in `failures`. */
  readonly moreFailures: number;
  readonly report: ImportReport | null;
}

export const startOfImport: ImportProgress = {
  words: "Starting",
  fraction: null,
  failures: [],
  moreFailures: 0,
  report: null,
};

/** A folder of a million wrong files must not fill the window's memory. */
const failuresKept = 200;

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
    case "failed": {
      if (progress.failures.length >= failuresKept) {
        return { ...progress, moreFailures: progress.moreFailures + 1 };
      }
      const { code, message } = step.error;
      return { ...progress, failures: [...progress.failures, { name: step.name, code, message }] };
    }
    case "conflict":
    case "warning":
      return progress;
    case "done": {
      const { imported, duplicates, conflicts, ignored, failed } = step;
      const report = { imported, duplicates, conflicts, ignored, failed };
      return { ...progress, words: "Done", fraction: 1, report };
    }
  }
}

/** "Imported 20 images. 3 were there already." */
export function reportText(report: ImportReport): string {
  const parts = [report.imported === 1 ? "Imported 1 image." : `Imported ${report.imported} images.`];
  const counted = (count: number, one: string, many: string) => {
    if (count > 0) parts.push(count === 1 ? `1 ${one}` : `${count} ${many}`);
  };
  counted(report.duplicates, "was there already.", "were there already.");
  counted(
    report.conflicts,
    "has the identifier of another image and other content; both were kept.",
    "have the identifier of another image and other content; both were kept.",
  );
  counted(report.ignored, "file is not DICOM.", "files are not DICOM.");
  counted(report.failed, "file could not be read.", "files could not be read.");
  return parts.join(" ");
}
