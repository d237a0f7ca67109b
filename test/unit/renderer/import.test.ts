import { describe, expect, test } from "vitest";
import type { Client } from "../../../core/client.ts";
import { appError } from "../../../core/errors.ts";
import { foldImport, reportText, startOfImport } from "../../../renderer/studies/import-progress.ts";
import { type ImportStep, runImport } from "../../../renderer/studies/run-import.ts";

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
      "Imported 2 images. 1 was there already. 3 files are not DICOM. 1 file could not be read.",
    );
  });

  test("shows no fraction before the files are counted", () => {
    const found = foldImport(startOfImport, { type: "progress", found: 10, counted: false, done: 5 });
    expect(found).toMatchObject({ fraction: null, words: "Importing 5 of 10 files found so far" });
    const counted = foldImport(found, { type: "progress", found: 20, counted: true, done: 5 });
    expect(counted.fraction).toBe(0.25);
  });

  test("keeps two hundred failures and counts the others", () => {
    let progress = startOfImport;
    for (let i = 0; i < 250; i += 1) {
      const error = { code: "not-dicom", message: "No DICOM." };
      progress = foldImport(progress, { type: "failed", name: `${i}`, error });
    }
    expect(progress.failures).toHaveLength(200);
    expect(progress.moreFailures).toBe(50);
  });
});
