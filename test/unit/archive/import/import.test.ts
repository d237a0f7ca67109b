import { chmod, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { StudyUid } from "../../../../core/study.ts";
import { compareFiles } from "../../../../archive/compare-files.ts";
import type { Candidate } from "../../../../archive/import/candidate.ts";
import { importCandidates } from "../../../../archive/import/import-candidates.ts";
import { createUploads } from "../../../../archive/import/uploads.ts";
import { walkFiles } from "../../../../archive/import/walk-files.ts";
import { hasSharedData, sharedData, sharedDataMissing } from "../../../shared-data.ts";
import { filesBelow, filesWithText, readHeader } from "../store/test-archive.ts";
import { makeDicom } from "./make-dicom.ts";
import { openTestImport, type TestImport } from "./test-import.ts";

let archive: TestImport;
let folder: string;

beforeEach(async () => {
  archive = await openTestImport();
  ({ folder } = archive);
});
afterEach(() => archive.remove());

const run = (candidates: AsyncGenerator<Candidate, void, void>) => archive.run(candidates);
const importPaths = (...paths: string[]) => archive.importPaths(...paths);
const write = (name: string, content: Buffer) => archive.write(name, content);

function slice(instance: number, value = instance): Buffer {
  return makeDicom({
    study: "1.1",
    series: "1.1.1",
    instance: `1.1.1.${instance}`,
    instanceNumber: instance,
    value,
  });
}

const objectFiles = () => archive.objectFiles();

describe("folders", () => {
  test("are read with all that is in them; what is no DICOM is ignored", async () => {
    await write("a/1.dcm", slice(1));
    await write("a/b/c/IM2", slice(2));
    await write("a/readme.txt", Buffer.from("nothing to see"));
    await write("a/empty", Buffer.alloc(0));
    const done = await importPaths(path.join(folder, "in"));
    expect(done).toMatchObject({
      imported: 2,
      ignored: 2,
      failed: 0,
      duplicates: 0,
      conflicts: 0,
      studies: ["1.1"],
    });
    const last = done.events.findLast((event) => event.type === "progress");
    expect(last).toEqual({ type: "progress", found: 4, counted: true, done: 4 });
    expect(archive.store.catalog.series("1.1" as StudyUid)[0]!.instances).toHaveLength(2);
  });

  test("links in them are not followed, and a loop ends", async () => {
    const inside = await write("a/1.dcm", slice(1));
    await symlink(path.join(folder, "in"), path.join(folder, "in", "a", "loop"));
    await symlink(inside, path.join(folder, "in", "a", "again"));
    expect(await importPaths(path.join(folder, "in"))).toMatchObject({ imported: 1, duplicates: 0 });
  });

  test.skipIf(process.getuid?.() === 0)(
    "what cannot be read is one failure, named by its own name",
    async () => {
      const secret = await write("a/secret.dcm", slice(1));
      await chmod(secret, 0);
      const { failures } = await importPaths(path.join(folder, "in"));
      expect(failures).toEqual([
        {
          type: "failed",
          name: "secret.dcm",
          error: { code: "bad-input", message: expect.not.stringContaining("/") },
        },
      ]);
    },
  );

  test("that are not there are named", async () => {
    await expect(importPaths(path.join(folder, "nowhere"))).rejects.toMatchObject({ code: "file-not-found" });
  });
});

describe("an image that is there already", () => {
  test("with the same content is a duplicate, within one import and in a later one", async () => {
    await write("a/1.dcm", slice(1));
    await write("a/copy.dcm", slice(1));
    expect(await importPaths(path.join(folder, "in"))).toMatchObject({
      imported: 1,
      duplicates: 1,
      conflicts: 0,
    });
    expect(await importPaths(path.join(folder, "in"))).toMatchObject({
      imported: 0,
      duplicates: 2,
      studies: ["1.1"],
    });
    expect(await objectFiles()).toHaveLength(1);
  });

  test("but whose stored copy is damaged or gone is put in its place", async () => {
    const input = path.dirname(await write("a/1.dcm", slice(1)));
    await write("a/2.dcm", slice(2));
    await importPaths(input);
    const [first, second] = await objectFiles();
    await writeFile(first!, Buffer.alloc(100));
    await rm(second!);
    expect(await importPaths(input)).toMatchObject({ imported: 2, duplicates: 0 });
    expect(await objectFiles()).toHaveLength(2);
    expect(archive.store.health().instances).toBe(2);
    for (const { sopInstanceUid } of archive.store.catalog.series("1.1" as StudyUid)[0]!.instances) {
      const source = await archive.store.objects.open(archive.store.catalog.instance(sopInstanceUid).object);
      expect((await source.read(0, source.size)).length).toBe(source.size);
    }
    expect(await importPaths(input)).toMatchObject({ imported: 0, duplicates: 2 });
  });

  test("whose series lies in another study is refused", async () => {
    await importPaths(await write("1.dcm", slice(1)));
    const other = makeDicom({ study: "9.9", series: "1.1.1", instance: "9.9.9" });
    const { failures } = await importPaths(await write("2.dcm", other));
    expect(failures[0]).toMatchObject({ name: "2.dcm", error: { code: "dicom-damaged" } });
  });

  test("brought by two imports at once is kept once", async () => {
    for (let i = 1; i <= 40; i += 1) await write(`a/${i}.dcm`, slice(i));
    const both = await Promise.all([
      importPaths(path.join(folder, "in")),
      importPaths(path.join(folder, "in")),
    ]);
    expect(both[0].imported + both[1].imported).toBe(40);
    expect(both[0].duplicates + both[1].duplicates).toBe(40);
    expect(await objectFiles()).toHaveLength(40);
  });
});

describe("cancel", () => {
  test("leaves whole images only, and importing again goes on", async () => {
    for (let i = 1; i <= 90; i += 1) await write(`a/${String(i).padStart(3, "0")}.dcm`, slice(i));
    const controller = new AbortController();
    const events = importCandidates({
      store: archive.store,
      compare: compareFiles,
      candidates: walkFiles([path.join(folder, "in")], controller.signal),
      readHeader: async (source) => {
        const header = await readHeader(source);
        if (header.instanceNumber === 50) controller.abort();
        return header;
      },
      signal: controller.signal,
    });
    await expect(
      (async () => {
        for await (const _ of events);
      })(),
    ).rejects.toMatchObject({ code: "cancelled" });
    const { instances } = archive.store.health();
    expect(instances).toBeGreaterThan(0);
    expect(instances).toBeLessThan(90);
    expect(await objectFiles()).toHaveLength(instances);
    expect(await importPaths(path.join(folder, "in"))).toMatchObject({
      imported: 90 - instances,
      duplicates: instances,
    });
  });
});

describe("uploads", () => {
  test("in parts, interleaved, are imported; unfinished files are left out", async () => {
    const uploads = createUploads(archive.store.spools);
    const [first, second] = [slice(1), slice(2)];
    const send = (name: string, content: Buffer, part: { from: number; to: number; last: boolean }) =>
      uploads.receive({
        upload: "u",
        name,
        offset: part.from,
        chunk: content.subarray(part.from, part.to),
        last: part.last,
      });
    await send("disc/1.dcm", first, { from: 0, to: 100, last: false });
    await send("disc/2.dcm", second, { from: 0, to: second.length, last: true });
    await send("disc/1.dcm", first, { from: 100, to: first.length, last: true });
    await send("disc/3.dcm", slice(3), { from: 0, to: 50, last: false });
    await expect(send("disc/3.dcm", slice(3), { from: 90, to: 95, last: true })).rejects.toMatchObject({
      code: "bad-request",
    });
    expect(await run(uploads.candidates("u"))).toMatchObject({ imported: 2, failed: 0 });
    await uploads.discard("u");
    await expect(run(uploads.candidates("u"))).rejects.toMatchObject({ code: "not-found" });
  });

  test("beyond what stays in memory lie encrypted on disk, and go", async () => {
    const uploads = createUploads(archive.store.spools);
    const large = makeDicom({
      study: "1.1",
      series: "1.1.1",
      instance: "1.1.1.7",
      side: 3000,
      patientName: "Uploaded^Person",
    });
    for (let at = 0; at < large.length; at += 1024 ** 2) {
      const chunk = large.subarray(at, at + 1024 ** 2);
      await uploads.receive({
        upload: "u",
        name: "a",
        offset: at,
        chunk,
        last: at + chunk.length === large.length,
      });
    }
    const spooled = () => filesBelow(path.join(folder, "data", "spool")).catch(() => []);
    expect((await spooled()).length).toBeGreaterThan(0);
    expect(await filesWithText(folder, "Uploaded^Person")).toEqual([]);
    expect(await run(uploads.candidates("u"))).toMatchObject({ imported: 1 });
    await uploads.discard("u");
    expect(await spooled()).toEqual([]);
    expect(await filesWithText(folder, "Uploaded^Person")).toEqual([]);
  });
});

describe("real files", () => {
  test.skipIf(!hasSharedData)(
    `a CT series comes in display order (${sharedDataMissing} where absent)`,
    async () => {
      expect(await importPaths(sharedData("dicom", "series-ct"))).toMatchObject({ imported: 20, failed: 0 });
      const [study] = archive.store.catalog.studies("");
      const [series] = archive.store.catalog.series(study!.studyInstanceUid);
      const depths = series!.instances.map(
        ({ sopInstanceUid }) => archive.store.catalog.instance(sopInstanceUid).position![2],
      );
      expect(depths).toEqual(depths.toSorted((a, b) => a - b));
    },
  );
});
