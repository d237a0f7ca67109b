import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ArchiveApi } from "../../../archive/api.ts";
import type { ImportEvent } from "../../../core/archive-events.ts";
import { type ArchiveChild, startArchive, startArchiveOnDisk } from "./archive-child.ts";
import { makeDicom } from "./import/make-dicom.ts";
import { dataKey, filesBelow, filesWithText, temporaryFolder } from "./store/test-archive.ts";

const patientName = "Interrupted^Person";
const signal = new AbortController().signal;

let folder: string;
let remove: () => Promise<void>;
let child: ArchiveChild | null = null;

beforeEach(async () => {
  ({ folder, remove } = await temporaryFolder());
});
afterEach(async () => {
  await child?.kill();
  child = null;
  await remove();
});

async function writeFiles(count: number, side: number): Promise<string> {
  const input = path.join(folder, "in");
  await mkdir(input);
  for (let i = 1; i <= count; i += 1) {
    const study = `1.${1 + (i % 3)}`;
    const series = `${study}.1`;
    const octets = makeDicom({
      study,
      series,
      instance: `${series}.${i}`,
      instanceNumber: i,
      value: i,
      side,
      patientName,
    });
    await writeFile(path.join(input, `${i}.dcm`), octets);
  }
  return input;
}

type Done = Extract<ImportEvent, { type: "done" }>;

async function importAll(api: ArchiveApi, input: string): Promise<Done> {
  let last: ImportEvent | null = null;
  for await (const event of api.importPaths({ paths: [input] }, signal)) last = event;
  expect(last).toMatchObject({ type: "done", failed: 0, conflicts: 0, ignored: 0 });
  return last as Done;
}

/** Every row opens and its pixels are those of its own file; rows and files are as many. */
async function checkConsistent(api: ArchiveApi, objects: string): Promise<number> {
  let images = 0;
  for (const { studyInstanceUid } of await api.listStudies({ search: "" }, signal)) {
    for (const series of await api.listSeries({ studyInstanceUid }, signal)) {
      for (const { sopInstanceUid, instanceNumber } of series.instances) {
        const frame = await api.readFrame({ sopInstanceUid, frame: 1 }, signal);
        expect(frame.values[0]).toBe(instanceNumber);
        images += 1;
      }
    }
  }
  const files = await filesBelow(objects);
  expect(files.filter((file) => !file.endsWith(".obj"))).toEqual([]);
  expect(files).toHaveLength(images);
  return images;
}

describe("an import whose process is killed", () => {
  test("at 6 moments leaves whole images only, nothing readable on disk, and goes on", async () => {
    const input = await writeFiles(300, 32);
    const dataFolder = path.join(folder, "data");
    const moments = Array.from({ length: 6 }, (_, i) => 20 + i * 100);
    const counts: number[] = [];
    for (const moment of moments) {
      child = startArchive();
      await child.api.open({ dataFolder, dataKey }, signal);
      const running = importAll(child.api, input).catch((thrown: { code?: string }) => thrown.code);
      // Not a wait for something to happen: the moment is the test's input.
      await new Promise((resolve) => setTimeout(resolve, moment));
      await child.kill();
      await running;
      expect(await filesWithText(dataFolder, patientName)).toEqual([]);

      child = startArchive();
      await child.api.open({ dataFolder, dataKey }, signal);
      const count = await checkConsistent(child.api, path.join(dataFolder, "objects"));
      expect(count).toBeGreaterThanOrEqual(counts.at(-1) ?? 0);
      counts.push(count);
      await child.kill();
    }
    child = startArchive();
    await child.api.open({ dataFolder, dataKey }, signal);
    const done = await importAll(child.api, input);
    expect(done.imported).toBe(300 - counts.at(-1)!);
    expect(done.duplicates).toBe(counts.at(-1)!);
    expect(await checkConsistent(child.api, path.join(dataFolder, "objects"))).toBe(300);
  }, 180_000);
});

describe("an import onto a disk that fills up", () => {
  test("at 13 fillings says disk-full, leaves whole images only, and goes on", async (context) => {
    const input = await writeFiles(60, 128);
    const disk = path.join(folder, "disk");
    await mkdir(disk);
    child = await startArchiveOnDisk(disk, "size=8m");
    if (!child) return context.skip("skipped: no mount namespaces here");
    const { api, pid } = child;
    const dataFolder = path.join(disk, "data");
    // The disk exists in the namespace of the process alone.
    const seen = (name: string) => path.join(`/proc/${pid}/root`, name);
    await api.open({ dataFolder, dataKey }, signal);
    // Thirty-two images of 33 kB are one commit: the finer steps end in its files, its log and its record.
    const fine = Array.from({ length: 10 }, (_, i) => 1_150_000 + i * 12_000);
    const rooms = [200_000, 700_000, ...fine, 1_600_000];
    for (const room of rooms) {
      const used = (await filesBelow(seen(dataFolder))).length;
      expect(used).toBeGreaterThan(0);
      await fillDisk(seen(path.join(disk, "filler")), seen(disk), room);
      await expect(importAll(api, input)).rejects.toMatchObject({ code: "disk-full" });
      const count = await checkConsistent(api, seen(path.join(dataFolder, "objects")));
      await rm(seen(path.join(disk, "filler")));
      expect(await importAll(api, input)).toMatchObject({ imported: 60 - count, duplicates: count });
      expect(await checkConsistent(api, seen(path.join(dataFolder, "objects")))).toBe(60);
      for (const { studyInstanceUid } of await api.listStudies({ search: "" }, signal)) {
        await api.deleteStudy({ studyInstanceUid }, signal);
      }
    }
    // A start on a full disk changes nothing; with room again all is there.
    await importAll(api, input);
    expect((await api.health({}, signal)).instances).toBe(60);
  }, 180_000);
});

describe("a data folder that cannot be written to", () => {
  test("is named", async (context) => {
    const disk = path.join(folder, "disk");
    await mkdir(disk);
    child = await startArchiveOnDisk(disk, "ro");
    if (!child) return context.skip("skipped: no mount namespaces here");
    const opening = child.api.open({ dataFolder: path.join(disk, "data"), dataKey }, signal);
    await expect(opening).rejects.toMatchObject({ code: "read-only" });
  });
});

/** Leaves `room` octets free. */
async function fillDisk(filler: string, disk: string, room: number): Promise<void> {
  const { statfs } = await import("node:fs/promises");
  const { bavail, bsize } = await statfs(disk);
  await writeFile(filler, Buffer.alloc(Math.max(0, bavail * bsize - room)));
}
