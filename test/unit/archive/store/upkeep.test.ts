import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import Libsql from "libsql";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BackupEvent, CheckEvent } from "../../../../core/maintenance.ts";
import type { AnswerRecord } from "../../../../core/question.ts";
import type { InstanceUid, SeriesUid, StudyUid } from "../../../../core/study.ts";
import { deriveKeys } from "../../../../archive/store/derived-keys.ts";
import { restoreBackup } from "../../../../archive/store/restore-backup.ts";
import { openArchiveStore } from "../../../../archive/store/archive-store.ts";
import { makeDicom } from "../import/make-dicom.ts";
import { openTestImport, type TestImport } from "../import/test-import.ts";
import { chunks, dataKey, filesBelow, readHeader } from "./test-archive.ts";

let archive: TestImport;
const signal = new AbortController().signal;

beforeEach(async () => {
  archive = await openTestImport();
});
afterEach(() => archive.remove());

const first = "1.1" as StudyUid;
const second = "1.2" as StudyUid;

/** Two studies of three images each, a variant, an answer and a thumbnail in each. */
async function fill(): Promise<void> {
  for (const study of [first, second]) {
    const series = `${study}.1`;
    for (let i = 1; i <= 3; i += 1) {
      const uids = { study, series, instance: `${series}.${i}`, instanceNumber: i };
      await archive.write(`${study}/${i}`, makeDicom({ ...uids, value: i }));
      if (i === 1) await archive.write(`${study}/variant`, makeDicom({ ...uids, value: 99 }));
    }
  }
  await archive.importPaths(archive.input);
  const { store } = archive;
  for (const study of [first, second]) {
    const subject = { studyInstanceUid: study };
    const askedAt = "2026-01-01T00:00:00Z";
    await store.answers.save({ id: `answer-${study}`, askedAt, subject } as unknown as AnswerRecord);
    const picture = Buffer.from(`\x89PNG of ${study}`, "latin1");
    const thumbnail = await store.objects.stage(picture.length, chunks(picture));
    await store.objects.publish([thumbnail]);
    await store.changes.setThumbnail(`${study}.1` as SeriesUid, thumbnail);
  }
}

async function all<Event>(events: AsyncGenerator<Event, void, void>): Promise<Event[]> {
  const list: Event[] = [];
  for await (const event of events) list.push(event);
  return list;
}

const problemsOf = (events: readonly (CheckEvent | BackupEvent)[]) =>
  events.flatMap((event) => (event.type === "problem" ? [event.problem] : []));

const check = () => all(archive.store.check(signal));

async function harmFirst(kind: (file: string) => Promise<void>): Promise<void> {
  const { instances } = archive.store.catalog.series(first)[0]!;
  const { object } = archive.store.catalog.instance(instances[1]!.sopInstanceUid);
  await kind((await archive.objectFiles()).find((file) => file.includes(object))!);
}

const flip = async (file: string) => {
  const octets = await readFile(file);
  octets[octets.length - 20]! ^= 1;
  await writeFile(file, octets);
};

describe("deleting a study", () => {
  test("leaves nothing of it on disk, not even for whoever has the key", async () => {
    await fill();
    const before = await archive.objectFiles();
    // What a repair may have left of it: a damaged index set aside, and a damaged file.
    await mkdir(path.join(archive.dataFolder, "damaged"));
    await cp(
      path.join(archive.dataFolder, "archive.db"),
      path.join(archive.dataFolder, "damaged", "archive.db"),
    );
    await cp(before[0]!, before[0]!.replace(".obj", ".damaged"));
    await archive.store.deleteStudy(first);

    const rest = await filesBelow(archive.dataFolder);
    expect(rest.filter((file) => /damaged/.test(file))).toEqual([]);
    expect((await archive.objectFiles()).length).toBe(before.length / 2);
    // No object that is left opens to something of the study.
    for await (const { id } of archive.store.objects.list()) {
      const source = await archive.store.objects.open(id);
      const text = Buffer.from(await source.read(0, source.size)).toString("latin1");
      expect(text.includes(`${first}.1`) || text.includes(`answer-${first}`)).toBe(false);
    }
    // Nor does a page of the index, used or free, or its log.
    const plain = await unlocked();
    expect(plain.includes(Buffer.from(`${second}.1.2`, "latin1"))).toBe(true);
    expect(plain.includes(Buffer.from(`${first}.1`, "latin1"))).toBe(false);
    expect(plain.includes(Buffer.from(`answer-${first}`, "latin1"))).toBe(false);
    expect(problemsOf(await check())).toEqual([]);
    // The search finds what is there: the same index before the deletion.
    await archive.importPaths(path.join(archive.input, first));
    expect((await unlocked()).includes(Buffer.from(`${first}.1`, "latin1"))).toBe(true);
  });

  /** The index and its log without the database's encryption. */
  async function unlocked(): Promise<Buffer> {
    const copy = path.join(archive.folder, "unlocked");
    await rm(copy, { recursive: true, force: true });
    await mkdir(copy);
    for (const name of ["archive.db", "archive.db-wal"]) {
      await cp(path.join(archive.dataFolder, name), path.join(copy, name));
    }
    const connection = new Libsql(path.join(copy, "archive.db"));
    const key = Buffer.from(deriveKeys(dataKey).database).toString("hex");
    connection.exec(`PRAGMA hexkey = '${key}'`);
    connection.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    connection.exec("PRAGMA journal_mode = DELETE");
    connection.exec("PRAGMA rekey = ''");
    connection.close();
    return readFile(path.join(copy, "archive.db"));
  }
});

describe("the integrity check", () => {
  test("finds nothing in a whole archive, and counts what it read", async () => {
    await fill();
    const events = await check();
    expect(problemsOf(events)).toEqual([]);
    expect(events.at(-1)).toMatchObject({
      type: "done",
      studies: 2,
      images: 6,
      variants: 2,
      answers: 2,
      problems: 0,
    });
    expect(events[0]).toEqual({ type: "progress", done: 0, total: 12 });
    expect(events.at(-2)).toEqual({ type: "progress", done: 12, total: 12 });
  });

  test.each([
    ["a flipped bit in an image", "file-damaged", flip],
    ["a missing image", "file-missing", (file: string) => rm(file)],
    ["an emptied image", "file-damaged", (file: string) => writeFile(file, "")],
  ] as const)("names the study of %s", async (_, kind, harm) => {
    await fill();
    await harmFirst(harm);
    const events = await check();
    expect(problemsOf(events)).toMatchObject([{ kind, studyInstanceUid: first }]);
    expect(events.at(-1)).toMatchObject({ problems: 1, images: 6 });
    // What it advises works.
    await archive.importPaths(path.join(archive.input, first));
    expect(problemsOf(await check())).toEqual([]);
  });

  test("reads the disk, not what is in memory of images that were looked at; importing one again heals it", async () => {
    await fill();
    const { object } = archive.store.catalog.instance("1.1.1.2" as InstanceUid);
    const source = await archive.store.objects.open(object);
    await source.read(0, source.size);
    const file = (await archive.objectFiles()).find((name) => name.includes(object))!;
    const octets = await readFile(file);
    octets[octets.length - 1]! ^= 1;
    await writeFile(file, octets);
    expect(problemsOf(await check())).toMatchObject([{ kind: "file-damaged", studyInstanceUid: first }]);
    expect(await archive.importPaths(path.join(archive.input, first, "2"))).toMatchObject({ imported: 1 });
    expect(problemsOf(await check())).toEqual([]);
  });

  test("finds a damaged page of the index, and files that no row names", async () => {
    await fill();
    await archive.store.objects.publish([await archive.store.objects.stage(3, chunks(Buffer.from("abc")))]);
    await archive.reopen(() => Promise.resolve());
    await archive.store.objects.publish([await archive.store.objects.stage(3, chunks(Buffer.from("abc")))]);
    expect(problemsOf(await check())).toMatchObject([{ kind: "file-unnamed" }]);
    const file = path.join(archive.dataFolder, "archive.db");
    const octets = await readFile(file);
    octets[octets.length - 1]! ^= 1;
    await writeFile(file, octets);
    expect(problemsOf(await check())).toMatchObject([{ kind: "index-damaged" }, { kind: "file-unnamed" }]);
  });

  test("does not take a study that is deleted meanwhile for damage, and can be cancelled", async () => {
    await fill();
    const events: CheckEvent[] = [];
    for await (const event of archive.store.check(signal)) {
      if (events.length === 0) await archive.store.deleteStudy(second);
      events.push(event);
    }
    expect(problemsOf(events)).toEqual([]);
    expect(await archive.objectFiles()).toHaveLength(7);
    const controller = new AbortController();
    const cancelled = async () => {
      for await (const _ of archive.store.check(controller.signal)) controller.abort();
    };
    await expect(cancelled()).rejects.toMatchObject({ code: "cancelled" });
  });
});

describe("a backup", () => {
  const backup = () => path.join(archive.folder, "backup");
  const restored = () => path.join(archive.folder, "restored");
  const backUp = (abort = signal) => all(archive.store.backUp(backup(), abort));
  const restore = (options: { key?: Uint8Array; salvage?: boolean } = {}) =>
    all(
      restoreBackup(
        {
          backup: backup(),
          dataFolder: restored(),
          dataKey: options.key ?? dataKey,
          salvage: options.salvage ?? false,
        },
        signal,
      ),
    );

  /** Every image, variant and answer of both, in digests. */
  async function contentOf(dataFolder: string): Promise<string> {
    const store = await openArchiveStore({ dataFolder, dataKey, readHeader });
    try {
      expect(store.health().repairs).toEqual([]);
      const content = [];
      for (const { importedAt: _, ...study } of store.catalog.studies("")) {
        const series = store.catalog.series(study.studyInstanceUid);
        const images = series.flatMap(({ instances }) =>
          instances.map(({ sopInstanceUid }) => store.catalog.instance(sopInstanceUid).sha256),
        );
        const { studyInstanceUid } = study;
        content.push(study, series, images, store.variants.ofStudy(studyInstanceUid));
        content.push(store.answers.ofStudy(studyInstanceUid));
      }
      expect(problemsOf(await all(store.check(signal)))).toEqual([]);
      return JSON.stringify(content);
    } finally {
      await store.close();
    }
  }

  test("is restored into an empty folder with all that was in it", async () => {
    await fill();
    const made = await backUp();
    // Six images, two variants with their notes, two answers and thumbnails, and the two files of the index.
    expect(made.at(-1)).toMatchObject({ type: "done", studies: 2, images: 6, files: 16, problems: 0 });
    expect((await restore()).at(-1)).toMatchObject({ type: "done", images: 6, files: 16, problems: 0 });
    await archive.reopen(async () => {
      expect(await contentOf(restored())).toBe(await contentOf(archive.dataFolder));
    });
  });

  test("is as the archive was when it began, whatever happens meanwhile", async () => {
    await fill();
    const later = makeDicom({ study: "1.3", series: "1.3.1", instance: "1.3.1.1" });
    const events: BackupEvent[] = [];
    for await (const event of archive.store.backUp(backup(), signal)) {
      if (events.length === 0) {
        await archive.store.deleteStudy(first);
        await archive.importPaths(await archive.write("later", later));
      }
      events.push(event);
    }
    expect(problemsOf(events)).toEqual([]);
    // The files of the deleted study were held for the backup alone.
    expect(await archive.objectFiles()).toHaveLength(8);
    await restore();
    const store = await openArchiveStore({ dataFolder: restored(), dataKey, readHeader });
    expect(
      store.catalog
        .studies("")
        .map(({ studyInstanceUid }) => studyInstanceUid)
        .toSorted(),
    ).toEqual([first, second]);
    expect(problemsOf(await all(store.check(signal)))).toEqual([]);
    await store.close();
  });

  test("can be cancelled at each file, and leaves nothing then", async () => {
    await fill();
    const controller = new AbortController();
    const cancelled = async () => {
      for await (const _ of archive.store.backUp(backup(), controller.signal)) controller.abort();
    };
    await expect(cancelled()).rejects.toMatchObject({ code: "cancelled" });
    await expect(readdir(backup())).rejects.toMatchObject({ code: "ENOENT" });
    await backUp();
    const restoring = new AbortController();
    const request = { backup: backup(), dataFolder: restored(), dataKey, salvage: false };
    const stopped = async () => {
      for await (const _ of restoreBackup(request, restoring.signal)) restoring.abort();
    };
    await expect(stopped()).rejects.toMatchObject({ code: "cancelled" });
    await expect(readdir(restored())).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("goes into an empty folder only, and is restored where no archive is", async () => {
    await fill();
    await mkdir(backup());
    await writeFile(path.join(backup(), "thesis.txt"), "mine");
    await expect(backUp()).rejects.toMatchObject({ code: "bad-input" });
    expect(await readdir(backup())).toEqual(["thesis.txt"]);
    await rm(backup(), { recursive: true });
    await backUp();
    await mkdir(path.join(restored(), "objects"), { recursive: true });
    await expect(restore()).rejects.toMatchObject({ code: "bad-request" });
    // Unless it is what a restore left that was killed.
    await writeFile(path.join(restored(), "archive.restore"), "");
    expect((await restore()).at(-1)).toMatchObject({ type: "done", images: 6 });
  });

  test("does not open by another key", async () => {
    await fill();
    await backUp();
    await expect(restore({ key: Buffer.alloc(32, 1) })).rejects.toMatchObject({ code: "backup-damaged" });
    await expect(readdir(restored())).rejects.toMatchObject({ code: "ENOENT" });
  });

  test.each<[string, (folder: string) => Promise<unknown>]>([
    ["without its seal", (folder) => rm(path.join(folder, "backup.json"))],
    ["with a changed seal", (folder) => writeFile(path.join(folder, "backup.json"), `{"format":1}`)],
    [
      "with changed counts",
      async (folder) => {
        const text = await readFile(path.join(folder, "backup.json"), "utf8");
        await writeFile(path.join(folder, "backup.json"), text.replace(`"images": 6`, `"images": 5`));
      },
    ],
    ["without its list", (folder) => rm(path.join(folder, "backup.sha256"))],
    [
      "whose list names another file",
      async (folder) => {
        const file = path.join(folder, "backup.sha256");
        await writeFile(file, `${await readFile(file, "utf8")}${"0".repeat(64)}  ../../etc/passwd\n`);
      },
    ],
    ["with a damaged file", async (folder) => flip((await filesBelow(path.join(folder, "objects")))[3]!)],
    ["with a missing file", async (folder) => rm((await filesBelow(path.join(folder, "objects")))[3]!)],
    [
      "with a link in place of a file",
      async (folder) => {
        const file = (await filesBelow(path.join(folder, "objects")))[3]!;
        await cp(file, `${folder}-elsewhere`);
        await rm(file);
        await symlink(`${folder}-elsewhere`, file);
      },
    ],
    ["with a damaged index", (folder) => flip(path.join(folder, "archive.db"))],
  ])("%s is refused by name, and nothing is restored", async (_, harm) => {
    await fill();
    await backUp();
    await harm(backup());
    await expect(restore()).rejects.toMatchObject({ code: "backup-damaged" });
    await expect(readdir(restored())).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("that is damaged gives what is whole of it on demand", async () => {
    await fill();
    await backUp();
    await flip(path.join(backup(), "archive.db"));
    const image = archive.store.catalog.instance(
      archive.store.catalog.series(first)[0]!.instances[1]!.sopInstanceUid,
    );
    await flip((await filesBelow(backup())).find((file) => file.includes(image.object))!);
    const events = await restore({ salvage: true });
    expect(problemsOf(events)).toMatchObject([{ kind: "file-damaged" }]);
    const store = await openArchiveStore({ dataFolder: restored(), dataKey, readHeader });
    expect(store.health()).toMatchObject({
      studies: 2,
      instances: 5,
      repairs: [expect.stringContaining("5 images, 2 answers")],
    });
    await store.close();
  });
});
