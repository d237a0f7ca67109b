import { describe, expect, test } from "vitest";
import type { ArchiveProblem, CheckEvent } from "../../../core/maintenance.ts";
import type { Study, StudyUid } from "../../../core/study.ts";
import {
  backupText,
  doneText,
  foldUpkeep,
  groupProblems,
  keyNeeded,
  setAsideAt,
  startOfUpkeep,
} from "../../../renderer/settings/upkeep.ts";

const whole = { studies: 4, images: 68, variants: 0, answers: 1, bytes: 121_000_000, problems: 0 };
const study = {
  studyInstanceUid: "1.2" as StudyUid,
  patientName: "Doe^Jane",
  patientId: "ID-1",
  studyDate: "20260102",
  studyDescription: "CT Thorax",
} as Study;

function problem(uid: string | null, message: string): ArchiveProblem {
  return { kind: "file-damaged", studyInstanceUid: uid as StudyUid | null, message };
}

describe("work on the archive", () => {
  test("shows a fraction from the first count on, and keeps what it found", () => {
    const events: CheckEvent[] = [
      { type: "progress", done: 0, total: 0 },
      { type: "problem", problem: problem("1.2", "A stored file is damaged.") },
      { type: "progress", done: 30, total: 120 },
    ];
    const [first, second, third] = events.map((_, index) =>
      events.slice(0, index + 1).reduce(foldUpkeep, startOfUpkeep),
    );
    expect(first).toMatchObject({ fraction: null, words: "0 of 0 files" });
    expect(second!.problems).toHaveLength(1);
    expect(third).toMatchObject({ fraction: 0.25, words: "30 of 120 files", done: null });
    expect(foldUpkeep(third!, { type: "done", ...whole, problems: 1 })).toMatchObject({
      fraction: 1,
      done: { images: 68 },
    });
  });

  test("counts problems beyond a thousand", () => {
    let progress = startOfUpkeep;
    for (let i = 0; i < 1003; i += 1) {
      progress = foldUpkeep(progress, { type: "problem", problem: problem(null, `${i}`) });
    }
    expect(progress.problems).toHaveLength(1000);
    expect(progress.moreProblems).toBe(3);
  });

  test("says in words what was read, copied or restored", () => {
    expect(doneText("check", { type: "done", ...whole })).toBe(
      "Read 4 studies: 68 images, 1 answer, 121 MB. Nothing is damaged or missing.",
    );
    expect(doneText("check", { type: "done", ...whole, variants: 2, problems: 3 })).toBe(
      "Read 4 studies: 68 images, 2 kept beside others, 1 answer, 121 MB.",
    );
    const copied = { type: "done", studies: 1, images: 1, files: 3, bytes: 900, problems: 0 } as const;
    expect(doneText("backup", copied)).toBe("Backed up 1 study with 1 image and their answers, 900 bytes.");
    expect(doneText("restore", copied)).toBe("Restored 1 study with 1 image and their answers, 900 bytes.");
  });

  test("names the study of a problem as the worklist does, and counts equal ones", () => {
    const groups = groupProblems(
      [
        problem("1.2", "A stored file of this study is damaged."),
        problem(null, "The index is damaged."),
        problem("1.2", "A stored file of this study is damaged."),
        problem("9.9", "A stored file of this study is missing."),
      ],
      [study],
    );
    expect(groups).toEqual([
      {
        title: "Doe, Jane, ID-1, 2026-01-02, CT Thorax",
        lines: [{ message: "A stored file of this study is damaged.", count: 2 }],
      },
      { title: "The archive as a whole", lines: [{ message: "The index is damaged.", count: 1 }] },
      { title: "Study 9.9", lines: [{ message: "A stored file of this study is missing.", count: 1 }] },
    ]);
  });

  test("says what opens a backup, and that a key file is not in it", () => {
    expect(keyNeeded("passphrase", "your passphrase")).toContain("passphrase of this archive");
    expect(keyNeeded("key-file", "/keys/archive.keys")).toMatch(
      /key file \/keys\/archive\.keys, .*not in the backup/,
    );
    expect(keyNeeded("safe-storage", "the key store of this computer")).toContain("recovery key alone");
  });

  test("says what a folder holds before it is restored", () => {
    const info = {
      madeAt: "not a date",
      studies: 1,
      images: 20,
      bytes: 1_000_000,
      protection: "passphrase",
      needs: "passphrase",
    } as const;
    expect(backupText(info)).toBe("1 study with 20 images, 1.00 MB.");
    expect(backupText({ ...info, madeAt: new Date(2026, 10, 20, 14, 3).toISOString() })).toBe(
      "Made 2026-11-20 14:03: 1 study with 20 images, 1.00 MB.",
    );
  });
});

test("the name of a set-aside archive is a moment", () => {
  expect(setAsideAt({ name: "2026-01-31T08-30-05", bytes: 1 })).toBe("2026-01-31T08:30:05Z");
});
