import { describe, expect, test } from "vitest";
import type { Client } from "../../../core/client.ts";
import { appError } from "../../../core/errors.ts";
import type { ImportEvent } from "../../../core/archive-events.ts";
import {
  foldImport,
  type ImportProgress,
  noteGroups,
  reportText,
  startOfImport,
} from "../../../renderer/studies/import-progress.ts";
import { type ImportStep, runImport } from "../../../renderer/studies/run-import.ts";
import { unfinishedText } from "../../../renderer/studies/unfinished-text.ts";

const file = (name: string) => ({ name, file: new File(["x"], name) });
const done: ImportStep = {
  type: "done",
  imported: 2,
  duplicates: 1,
  conflicts: 0,
  ignored: 3,
  failed: 1,
  studies: [],
};

function recorder(failOn: string | null = null) {
  const calls: string[] = [];
  const client = {
    upload: async (_name: string, { input }: { input: { name: string } }, signal: AbortSignal) => {
      if (signal.aborted) throw appError("cancelled", "Cancelled.");
      if (input.name === failOn) throw appError("disk-full", "The disk is full.");
      calls.push(`upload ${input.name}`);
      return { received: 1 };
    },
    async *stream(name: string) {
      calls.push(name);
      yield done;
    },
    call: async (name: string) => void calls.push(name),
  } as unknown as Client;
  return { client, calls };
}

async function stepsOf(run: AsyncGenerator<ImportStep>): Promise<ImportStep[]> {
  const steps: ImportStep[] = [];
  for await (const step of run) steps.push(step);
  return steps;
}

describe("an upload", () => {
  const files = ["a/1.dcm", "a/2.dcm", "a/3.dcm", "a/4.dcm"].map(file);

  test("sends every file, then imports, and discards nothing", async () => {
    const { client, calls } = recorder();
    const steps = await stepsOf(runImport(client, { type: "files", files }, new AbortController().signal));
    expect(calls).toEqual([...files.map(({ name }) => `upload ${name}`), "imports.finish"]);
    expect(steps.map(({ type }) => type)).toEqual(["upload", "upload", "upload", "done"]);
  });

  test("that is cancelled leaves nothing behind on the host", async () => {
    const { client, calls } = recorder();
    const controller = new AbortController();
    const run = runImport(client, { type: "files", files }, controller.signal);
    await run.next();
    await run.next();
    controller.abort();
    await expect(run.next()).rejects.toMatchObject({ code: "cancelled" });
    expect(calls.at(-1)).toBe("imports.discard");
    expect(calls).not.toContain("imports.finish");
  });

  test("that fails half way is discarded too", async () => {
    const { client, calls } = recorder("a/4.dcm");
    const run = runImport(client, { type: "files", files }, new AbortController().signal);
    await expect(stepsOf(run)).rejects.toMatchObject({ code: "disk-full" });
    expect(calls.at(-1)).toBe("imports.discard");
  });
});

describe("the import report", () => {
  test("says what became of every file", () => {
    expect(reportText({ imported: 2, duplicates: 1, conflicts: 0, ignored: 3, failed: 1 })).toBe(
      "Imported 2 images. 1 was there already. 3 files are not DICOM.",
    );
  });

  test("says so where nothing was new", () => {
    expect(reportText({ imported: 0, duplicates: 20, conflicts: 1, ignored: 0, failed: 0 })).toBe(
      "No new images. 20 were there already.",
    );
  });

  test("shows no fraction before the files are counted", () => {
    const found = foldImport(startOfImport, { type: "progress", found: 10, counted: false, done: 5 });
    expect(found).toMatchObject({ fraction: null, words: "Importing 5 of 10 files found so far" });
    const counted = foldImport(found, { type: "progress", found: 20, counted: true, done: 5 });
    expect(counted.fraction).toBe(0.25);
  });

  const truncated = { code: "pixel-data-truncated", message: "The file ends before its image is whole." };
  const damaged = { code: "dicom-damaged", message: "The file has no usable series identifier (UID)." };
  const folded = (events: readonly ImportEvent[]): ImportProgress => events.reduce(foldImport, startOfImport);

  test("groups files by what became of them and why, gravest first", () => {
    const variant = { studyInstanceUid: "1.2" } as never;
    const groups = noteGroups(
      folded([
        { type: "warning", name: "DICOMDIR", error: { code: "dicomdir-damaged", message: "Cut." } },
        { type: "conflict", name: "c.dcm", variant },
        { type: "partial", name: "a.dcm", error: truncated },
        { type: "failed", name: "b.dcm", error: damaged },
        { type: "partial", name: "d.dcm", error: truncated },
        { type: "failed", name: "e.dcm", error: { code: "zip-damaged", message: "The ZIP is damaged." } },
        { type: "conflict", name: "f.dcm", variant },
      ]),
    );
    expect(groups.map(({ kind, title }) => [kind, title])).toEqual([
      ["failed", "2 files could not be read"],
      ["partial", "2 files cannot be shown as a whole"],
      ["conflict", "2 files have the identifier of another image and other content"],
      ["warning", "1 note about the disc or folder"],
    ]);
    expect(groups[0]!.notes.map(({ code, names }) => [code, names])).toEqual([
      ["dicom-damaged", ["b.dcm"]],
      ["zip-damaged", ["e.dcm"]],
    ]);
    expect(groups[1]!.notes).toMatchObject([{ ...truncated, names: ["a.dcm", "d.dcm"], count: 2 }]);
    expect(groups[2]!.notes).toMatchObject([{ names: ["c.dcm", "f.dcm"], studies: ["1.2"] }]);
  });

  test("is bounded: a hundred names a reason, a hundred reasons, and the others counted", () => {
    const same = Array.from({ length: 250 }, (_, i) => ({
      type: "failed" as const,
      name: `${i}`,
      error: damaged,
    }));
    const [one] = noteGroups(folded(same));
    expect(one).toMatchObject({ title: "250 files could not be read", more: 0 });
    expect(one!.notes[0]!.names).toHaveLength(100);
    const each = Array.from({ length: 250 }, (_, i) => ({
      type: "partial" as const,
      name: `${i}`,
      error: { code: "pixel-data-truncated", message: `${i} of 300 images are whole.` },
    }));
    const [other] = noteGroups(folded(each));
    expect(other).toMatchObject({ title: "250 files cannot be shown as a whole", more: 150 });
    expect(other!.notes).toHaveLength(100);
  });
});

describe("an unfinished import", () => {
  const one = { id: "1", paths: ["/media/CD-0412/"], startedAt: "2026-11-23T08:00:00Z" };

  test("says which folder and how far it came", () => {
    const progress = { done: 120, found: 300, counted: true };
    expect(unfinishedText({ ...one, progress })).toBe(
      "An import of CD-0412 was not finished: 120 of 300 files.",
    );
    expect(unfinishedText({ ...one, progress: { ...progress, counted: false } })).toBe(
      "An import of CD-0412 was not finished: 120 of at least 300 files.",
    );
  });

  test("says so where it had not come to its first write, and where it has several paths", () => {
    expect(unfinishedText({ ...one, progress: null })).toBe("An import of CD-0412 was not finished.");
    expect(unfinishedText({ ...one, paths: ["D:\\DICOM", "E:\\x"], progress: null })).toBe(
      "An import of DICOM and 1 more was not finished.",
    );
    expect(unfinishedText({ ...one, paths: ["/a", "/b", "/c"], progress: null })).toBe(
      "An import of a and 2 more was not finished.",
    );
  });

  test("goes on by its id", async () => {
    const { client, calls } = recorder();
    await stepsOf(runImport(client, { type: "resume", id: "1" }, new AbortController().signal));
    expect(calls).toEqual(["imports.resume"]);
  });
});
