import type {
  ArchiveProblem,
  BackupEvent,
  BackupInfo,
  CheckEvent,
  SetAsideArchive,
} from "../../core/maintenance.ts";
import type { KeyProtection } from "../../core/settings.ts";
import type { Study } from "../../core/study.ts";
import { dateText, nameText } from "../ask/words.ts";
import { countText, momentText } from "../studies/study-text.ts";
import { bytesText } from "./bytes-text.ts";

/** Work on the whole archive: reading it through, copying it away, or taking such a copy in. */
export type UpkeepJob = "check" | "backup" | "restore";

export type UpkeepDone = Extract<CheckEvent | BackupEvent, { type: "done" }>;

/** What came of one piece of work, or has come so far. */
export interface UpkeepProgress {
  /** 0..1; null before the first file. */
  readonly fraction: number | null;
  readonly words: string;
  readonly problems: readonly ArchiveProblem[];
  /** Beyond those that are kept. */
  readonly moreProblems: number;
  readonly done: UpkeepDone | null;
}

export const startOfUpkeep: UpkeepProgress = {
  fraction: null,
  words: "Starting",
  problems: [],
  moreProblems: 0,
  done: null,
};

/** An archive of which every file is damaged must not fill the window's memory. */
const problemsKept = 1000;

export function foldUpkeep(progress: UpkeepProgress, event: CheckEvent | BackupEvent): UpkeepProgress {
  switch (event.type) {
    case "progress": {
      const { done, total } = event;
      const fraction = total > 0 ? done / total : null;
      return { ...progress, fraction, words: `${done} of ${countText(total, "file", "files")}` };
    }
    case "problem":
      if (progress.problems.length >= problemsKept) {
        return { ...progress, moreProblems: progress.moreProblems + 1 };
      }
      return { ...progress, problems: [...progress.problems, event.problem] };
    case "done":
      return { ...progress, fraction: 1, done: event };
  }
}

/** What was read, copied or restored, in one sentence. */
export function doneText(job: UpkeepJob, done: UpkeepDone): string {
  const studies = countText(done.studies, "study", "studies");
  const images = countText(done.images, "image", "images");
  const size = bytesText(done.bytes);
  switch (job) {
    case "check": {
      const kept = "variants" in done && done.variants > 0 ? `, ${done.variants} kept beside others` : "";
      const answers = "answers" in done ? `, ${countText(done.answers, "answer", "answers")}` : "";
      const found = done.problems === 0 ? " Nothing is damaged or missing." : "";
      return `Read ${studies}: ${images}${kept}${answers}, ${size}.${found}`;
    }
    case "backup":
      return `Backed up ${studies} with ${images} and their answers, ${size}.`;
    case "restore":
      return `Restored ${studies} with ${images} and their answers, ${size}.`;
  }
}

export interface ProblemGroup {
  /** The study, or the archive as a whole. */
  readonly title: string;
  readonly lines: readonly { readonly message: string; readonly count: number }[];
}

/** By study, equal ones counted; a study that the worklist does not have any more stands without its name. */
export function groupProblems(
  problems: readonly ArchiveProblem[],
  studies: readonly Study[],
): readonly ProblemGroup[] {
  const groups = new Map<string, Map<string, number>>();
  for (const { studyInstanceUid, message } of problems) {
    const title = titleOf(studyInstanceUid, studies);
    const lines = groups.get(title) ?? new Map<string, number>();
    groups.set(title, lines.set(message, (lines.get(message) ?? 0) + 1));
  }
  return [...groups].map(([title, lines]) => ({
    title,
    lines: [...lines].map(([message, count]) => ({ message, count })),
  }));
}

function titleOf(uid: string | null, studies: readonly Study[]): string {
  if (uid === null) return "The archive as a whole";
  const study = studies.find(({ studyInstanceUid }) => studyInstanceUid === uid);
  if (!study) return `Study ${uid}`;
  const { patientName, patientId, studyDate, studyDescription } = study;
  const parts = [nameText(patientName), patientId, dateText(studyDate), studyDescription];
  return parts.filter((part) => part !== "").join(", ");
}

/** What opens a backup of an archive with this protection, and where a copy of that has to be. */
export function keyNeeded(protection: KeyProtection, keyLocation: string): string {
  switch (protection) {
    case "passphrase":
      return "The passphrase of this archive, or its recovery key.";
    case "key-file":
      return `The key file${keyLocation === "" ? "" : ` ${keyLocation}`}, or the recovery key. The key file is not in the backup: keep a copy of it somewhere else than the backup.`;
    case "safe-storage":
      return "On this computer, this login. On another computer, or after this one is lost, the recovery key alone.";
  }
}

/** "Made 2026-11-20 14:03: 4 studies with 68 images, 121 MB." */
export function backupText({ madeAt, studies, images, bytes }: BackupInfo): string {
  const moment = momentText(madeAt);
  const made = moment === "" ? "" : `Made ${moment}: `;
  const what = `${countText(studies, "study", "studies")} with ${countText(images, "image", "images")}`;
  return `${made}${what}, ${bytesText(bytes)}.`;
}

export const needsText = {
  nothing: "This computer has the key of this backup.",
  passphrase: "It needs the passphrase that the archive had when the backup was made, or its recovery key.",
  "recovery-key": "This computer does not have the key of this backup. It needs the recovery key.",
} as const satisfies Record<BackupInfo["needs"], string>;

/** When it was set aside, in ISO 8601: the name of its folder says so, without the colons. */
export function setAsideAt({ name }: SetAsideArchive): string {
  return name.replace(/-(\d\d)-(\d\d)$/, ":$1:$2Z");
}
