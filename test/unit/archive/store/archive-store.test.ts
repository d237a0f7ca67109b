import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AnswerRecord } from "../../../../core/question.ts";
import type { InstanceUid, SeriesUid, StudyUid } from "../../../../core/study.ts";
import { type ArchiveStore, openArchiveStore } from "../../../../archive/store/archive-store.ts";
import {
  addObject,
  dataKey,
  filesBelow,
  filesWithText,
  noise,
  patientName,
  temporaryFolder,
  testHeader,
  readHeader,
} from "./test-archive.ts";

let folder: string;
let remove: () => Promise<void>;
let store: ArchiveStore | null;

beforeEach(async () => {
  ({ folder, remove } = await temporaryFolder());
  store = null;
});
afterEach(async () => {
  await store?.close();
  await remove();
});

async function opened(): Promise<ArchiveStore> {
  store = await openArchiveStore({ dataFolder: folder, dataKey, readHeader });
  return store;
}

async function closed(): Promise<void> {
  await store?.close();
  store = null;
}

function answer(id: string, study: StudyUid): AnswerRecord {
  const subject = { studyInstanceUid: study, patientName };
  return { id, askedAt: `2026-01-0${id.length}T00:00:00Z`, subject } as unknown as AnswerRecord;
}

describe("an archive", () => {
  test("holds what was put in, after it was closed and opened", async () => {
    const first = await opened();
    const content = noise(5000);
    await addObject(first, testHeader({ study: 1, series: 1, instance: 1 }), content);
    await addObject(first, testHeader({ study: 1, series: 1, instance: 2 }), noise(10));
    await addObject(first, testHeader({ study: 1, series: 2, instance: 1 }), noise(10));
    await addObject(first, testHeader({ study: 2, series: 1, instance: 1 }), noise(10));
    await first.answers.save(answer("a", "1.2.1" as StudyUid));
    await closed();

    const again = await opened();
    expect(again.health()).toMatchObject({ studies: 2, instances: 4, bytes: 5030, repairs: [] });
    const [newest, oldest] = again.catalog.studies("");
    expect(newest).toMatchObject({ studyInstanceUid: "1.2.2", patientName, instanceCount: 1 });
    expect(oldest).toMatchObject({ seriesCount: 2, instanceCount: 3, modalities: ["CT"] });
    const series = again.catalog.series("1.2.1" as StudyUid);
    expect(series.map((one) => one.seriesNumber)).toEqual([1, 2]);
    // By position along the normal, which the test's headers count down.
    expect(series[0]!.instances.map((one) => one.instanceNumber)).toEqual([2, 1]);
    const row = again.catalog.instance("1.2.1.1.1" as InstanceUid);
    const source = await again.objects.open(row.object);
    expect(Buffer.from(await source.read(0, source.size)).equals(content)).toBe(true);
    expect(again.answers.ofStudy("1.2.1" as StudyUid).map(({ id }) => id)).toEqual(["a"]);
  });

  test("does not open with another key, and says so before libsql reads a page", async () => {
    await addObject(await opened(), testHeader({ study: 1, series: 1, instance: 1 }), noise(10));
    await closed();
    const other = openArchiveStore({ dataFolder: folder, dataKey: Buffer.alloc(32, 8), readHeader });
    await expect(other).rejects.toMatchObject({ code: "archive-damaged" });
    expect((await opened()).health().instances).toBe(1);
  });

  test("has no patient data in the open on disk, while it is open and after", async () => {
    const archive = await opened();
    const content = Buffer.from(`header ${patientName} ID-4711 ACC-0815`);
    await addObject(archive, testHeader({ study: 1, series: 1, instance: 1 }), content);
    await archive.answers.save(answer("a", "1.2.1" as StudyUid));
    const spool = archive.spools.create();
    for (let i = 0; i < 20; i += 1) await spool.append(Buffer.concat([content, Buffer.alloc(1024 ** 2)]));
    const searched = ["Szymański", "ID-4711", "ACC-0815", "19500102"];
    expect((await filesBelow(folder)).length).toBeGreaterThan(5);
    for (const text of searched) expect(await filesWithText(folder, text)).toEqual([]);
    await closed();
    for (const text of searched) expect(await filesWithText(folder, text)).toEqual([]);
    // The search itself finds what is there.
    const { writeFile } = await import("node:fs/promises");
    await writeFile(path.join(folder, "planted"), Buffer.from("Szymański", "utf16le"));
    expect(await filesWithText(folder, "Szymański")).toHaveLength(1);
  });

  test("has one owner: a second process is told so, and takes over when the first was killed", async () => {
    await opened();
    await expect(openArchiveStore({ dataFolder: folder, dataKey, readHeader })).rejects.toMatchObject({
      code: "archive-in-use",
    });
    const libsql = createRequire(import.meta.url).resolve("libsql");
    const script = `
      const Libsql = require(${JSON.stringify(libsql)});
      const lock = new Libsql(${JSON.stringify(path.join(folder, "archive.lock"))}, { timeout: 0 });
      try { lock.exec("BEGIN EXCLUSIVE"); process.stdout.write("owner"); } catch { process.stdout.write("in use"); }
      process.kill(process.pid, "SIGKILL");`;
    const attempt = () => {
      try {
        return execFileSync(process.execPath, ["-e", script], { encoding: "utf8" });
      } catch (thrown) {
        return (thrown as { stdout: string }).stdout;
      }
    };
    expect(attempt()).toBe("in use");
    await closed();
    expect(attempt()).toBe("owner");
    expect((await opened()).health().studies).toBe(0);
  });

  test("made by a newer version is left alone", async () => {
    await opened();
    await closed();
    const { openDatabase } = await import("../../../../archive/store/database.ts");
    const { deriveKeys } = await import("../../../../archive/store/derived-keys.ts");
    const keys = deriveKeys(dataKey);
    const database = openDatabase({
      folder,
      databaseKey: keys.database,
      pagesKey: keys.pages,
      mayBeUnfinished: false,
    });
    database.transaction(() => database.run("PRAGMA user_version = 99"));
    database.close();
    await expect(openArchiveStore({ dataFolder: folder, dataKey, readHeader })).rejects.toMatchObject({
      code: "archive-too-new",
    });
  });
});

describe("deleting a study", () => {
  test("takes its images, files and answers, and nothing else", async () => {
    const archive = await opened();
    await addObject(archive, testHeader({ study: 1, series: 1, instance: 1 }), noise(10));
    const kept = await addObject(archive, testHeader({ study: 2, series: 1, instance: 1 }), noise(10));
    const thumbnail = await archive.objects.stage(
      3,
      (async function* () {
        yield noise(3);
      })(),
    );
    await archive.objects.publish([thumbnail]);
    await archive.changes.setThumbnail("1.2.1.1" as SeriesUid, thumbnail);
    await archive.answers.save(answer("a", "1.2.1" as StudyUid));
    await archive.answers.save(answer("bb", "1.2.2" as StudyUid));
    await archive.changes.deleteStudy("1.2.1" as StudyUid);
    expect(archive.catalog.studies("").map((study) => study.studyInstanceUid)).toEqual(["1.2.2"]);
    expect(() => archive.answers.read("a")).toThrow(expect.objectContaining({ code: "answer-not-found" }));
    expect(archive.answers.read("bb").id).toBe("bb");
    const objectFiles = (await filesBelow(path.join(folder, "objects"))).map((file) => path.basename(file));
    // The image and the answer of the other study.
    expect(objectFiles).toContain(`${kept}.obj`);
    expect(objectFiles).toHaveLength(2);
    await expect(archive.changes.deleteStudy("1.2.1" as StudyUid)).rejects.toMatchObject({
      code: "study-not-found",
    });
  });
});

describe("after a process that ended in the middle", () => {
  test("files without a row are removed, and named", async () => {
    const archive = await opened();
    await addObject(archive, testHeader({ study: 1, series: 1, instance: 1 }), noise(10));
    const content = async function* () {
      yield noise(10);
    };
    await archive.objects.publish([await archive.objects.stage(10, content())]);
    await archive.objects.stage(10, content());
    await closed();
    const again = await opened();
    expect(again.health().repairs).toEqual(["Removed 2 files of an import that was cut short."]);
    expect(await filesBelow(path.join(folder, "objects"))).toHaveLength(1);
  });

  test("a row without its file is kept and named", async () => {
    const archive = await opened();
    const object = await addObject(archive, testHeader({ study: 1, series: 1, instance: 1 }), noise(10));
    await archive.objects.remove([object]);
    await closed();
    const again = await opened();
    expect(again.health()).toMatchObject({
      instances: 1,
      repairs: ["1 stored file missing: import the study again."],
    });
    await expect(again.objects.open(object)).rejects.toMatchObject({ code: "archive-damaged" });
  });
});

describe("search", () => {
  test.each([
    ["szymanski", 2],
    ["SZYMAŃSKI łucja", 2],
    ["lung", 0],
    ["acc-0815 2024-01-02", 1],
    ["20240101", 1],
    ["ct thorax", 2],
    ["  ", 2],
  ])("%s finds %i", async (words, count) => {
    const archive = await opened();
    await addObject(archive, testHeader({ study: 1, series: 1, instance: 1 }), noise(10));
    await addObject(archive, testHeader({ study: 2, series: 1, instance: 1 }), noise(10));
    expect(archive.catalog.studies(words)).toHaveLength(count);
  });
});
