import { cp, mkdir, readdir } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  fillDisk,
  findProblems,
  importAll,
  killArchive,
  killHost,
  writeFiles,
} from "../../bench/archive/interrupted-imports.ts";
import {
  type ArchiveChild,
  startArchive,
  startArchiveOnDisk,
  startArchiveReadOnly,
} from "./archive-child.ts";
import { dataKey, temporaryFolder } from "./store/test-archive.ts";

/** test/bench/archive/interrupt.ts does the same at 20 moments each. */
const moments = 3;
const longMs = 300_000;

const signal = new AbortController().signal;
let folder: string;
let remove: () => Promise<void>;

beforeEach(async () => {
  ({ folder, remove } = await temporaryFolder());
});
afterEach(() => remove());

const problemsOf = (found: readonly { moment: string; problems: readonly string[] }[]) =>
  found.filter(({ problems }) => problems.length > 0);

describe("an import of 300 files that is killed leaves whole images only, and goes on", () => {
  test(
    "with its archive process",
    async () => {
      const found = await killArchive({ folder, count: moments, seed: 7, files: 300 });
      expect(found).toHaveLength(moments);
      expect(problemsOf(found)).toEqual([]);
    },
    longMs,
  );

  test(
    "with its host",
    async () => {
      const found = await killHost({ folder, count: moments, seed: 8, files: 300 });
      expect(found).toHaveLength(moments);
      expect(problemsOf(found)).toEqual([]);
    },
    longMs,
  );
});

describe("an import onto a disk that fills up", () => {
  test(
    "says disk-full, leaves whole images only, and goes on",
    async (context) => {
      const found = await fillDisk({ folder, count: 6, seed: 9 });
      if (!found) return context.skip("skipped: no mount namespaces here");
      expect(found).toHaveLength(6);
      expect(problemsOf(found)).toEqual([]);
    },
    longMs,
  );
});

describe("a data folder that cannot be written to", () => {
  let child: ArchiveChild | null = null;
  afterEach(async () => {
    await child?.kill();
    child = null;
  });

  test("is named where there is no archive yet", async (context) => {
    const disk = path.join(folder, "disk");
    await mkdir(disk);
    child = await startArchiveOnDisk(disk, "ro");
    if (!child) return context.skip("skipped: no mount namespaces here");
    const opening = child.api.open({ dataFolder: path.join(disk, "data"), dataKey }, signal);
    await expect(opening).rejects.toMatchObject({ code: "read-only" });
  });

  test(
    "is named where there is one, which loses nothing",
    async (context) => {
      const [input, dataFolder] = [path.join(folder, "in"), path.join(folder, "data")];
      await writeFiles(input, 20);
      const writing = startArchive();
      child = writing;
      await writing.api.open({ dataFolder, dataKey }, signal);
      await importAll(writing.api, input);
      // Killed: what an orderly end would still write is not there.
      await writing.kill();
      const before = path.join(folder, "before");
      await cp(dataFolder, before, { recursive: true });
      child = await startArchiveReadOnly(dataFolder);
      if (!child) return context.skip("skipped: no mount namespaces here");
      const opening = child.api.open({ dataFolder, dataKey }, signal);
      await expect(opening).rejects.toMatchObject({ code: "read-only" });
      await child.kill();
      expect((await readdir(dataFolder, { recursive: true })).toSorted()).toEqual(
        (await readdir(before, { recursive: true })).toSorted(),
      );
      child = startArchive();
      await child.api.open({ dataFolder, dataKey }, signal);
      const { images, problems } = await findProblems(child.api, path.join(dataFolder, "objects"));
      expect({ images, problems }).toEqual({ images: 20, problems: [] });
    },
    longMs,
  );
});
