import { rm } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compareFiles } from "../../../../archive/compare-files.ts";
import { validRecords } from "../../../../archive/store/choose-variant.ts";
import { withExchange } from "../../../../archive/store/exchanged-answers.ts";
import type { AnswerRecord } from "../../../../core/question.ts";
import type { InstanceUid, SeriesUid, StudyUid } from "../../../../core/study.ts";
import { filesBelow, readHeader } from "../store/test-archive.ts";
import { makeDicom } from "./make-dicom.ts";
import { openTestImport, type TestImport } from "./test-import.ts";

let archive: TestImport;
beforeEach(async () => {
  archive = await openTestImport();
});
afterEach(() => archive.remove());

const { signal } = new AbortController();
const tools = {
  readHeader,
  compare: (both: Parameters<typeof compareFiles>[0]) => compareFiles(both, signal),
};
const uids = { study: "1.1", series: "1.1.1", instance: "1.1.1.1" };
const study = uids.study as StudyUid;
const instance = uids.instance as InstanceUid;
const first = makeDicom({ ...uids, value: 100 });
const second = makeDicom({ ...uids, value: 200, side: 16 });

async function contentOf(object: string): Promise<Buffer> {
  const source = await archive.store.objects.open(object);
  return Buffer.from(await source.read(0, source.size));
}

/** The shown file, and those that are kept beside it. */
async function files(): Promise<{ shown: Buffer; kept: Buffer[] }> {
  const { catalog, variants } = archive.store;
  const kept = variants.ofInstance(instance).map(({ object }) => contentOf(object));
  return { shown: await contentOf(catalog.instance(instance).object), kept: await Promise.all(kept) };
}

async function importBoth(): Promise<string> {
  await archive.importPaths(await archive.write("a/1.dcm", first));
  await archive.importPaths(await archive.write("a/2.dcm", second));
  return archive.store.variants.ofInstance(instance)[0]!.id;
}

describe("choosing which of two files is shown", () => {
  test("exchanges them, keeps both, and can be taken back", async () => {
    const id = await importBoth();
    const before = archive.store.health();
    await archive.store.chooseVariant(id, tools);
    expect(await files()).toEqual({ shown: second, kept: [first] });
    expect(archive.store.catalog.instance(instance)).toMatchObject({ rows: 16, bytes: second.length });
    expect(archive.store.catalog.series(study)[0]!.instances).toMatchObject([{ rows: 16, columns: 16 }]);
    const [kept] = archive.store.variants.ofStudy(study);
    expect(kept).toMatchObject({
      bytes: first.length,
      chosenAt: expect.any(String) as string,
      first: { bytes: second.length },
      difference: { pixels: "different", elements: expect.arrayContaining([expect.anything()]) as unknown },
    });
    expect(kept!.difference!.elements.find(({ keyword }) => keyword === "Rows")).toMatchObject({
      first: "16",
      second: "8",
    });
    expect(archive.store.health()).toEqual(before);
    await archive.store.chooseVariant(kept!.id, tools);
    expect(await files()).toEqual({ shown: first, kept: [second] });
    // The two files and one record.
    expect(await archive.objectFiles()).toHaveLength(3);
  });

  test("stays over a restart, and both stay known to a later import", async () => {
    await archive.store.chooseVariant(await importBoth(), tools);
    await archive.reopen();
    expect(archive.store.health().repairs).toEqual([]);
    expect(await files()).toEqual({ shown: second, kept: [first] });
    expect(await archive.importPaths(archive.input)).toMatchObject({ duplicates: 2, conflicts: 0 });
    for await (const event of archive.store.check(signal)) {
      if (event.type === "done") expect(event).toMatchObject({ images: 1, variants: 1, problems: 0 });
    }
  });

  test("stays when the index is made again from the files", async () => {
    await archive.store.chooseVariant(await importBoth(), tools);
    await archive.reopen(() => rm(path.join(archive.dataFolder, "archive.pages")));
    expect(await files()).toEqual({ shown: second, kept: [first] });
    expect(await archive.objectFiles()).toHaveLength(3);
  });

  test("of three, the others say how they differ from the one that is shown now", async () => {
    await importBoth();
    const third = makeDicom({ ...uids, value: 7, instanceNumber: 9 });
    await archive.importPaths(await archive.write("a/3.dcm", third));
    const last = archive.store.variants.ofInstance(instance).find(({ bytes }) => bytes === third.length)!;
    await archive.store.chooseVariant(last.id, tools);
    const { shown, kept } = await files();
    expect(shown.equals(third)).toBe(true);
    expect(kept.map(({ length }) => length).toSorted()).toEqual([first.length, second.length].toSorted());
    for (const { first: now, difference } of archive.store.variants.ofInstance(instance)) {
      expect(now.bytes).toBe(third.length);
      expect(difference!.elements.map(({ keyword }) => keyword)).toContain("InstanceNumber");
    }
    expect(await archive.importPaths(archive.input)).toMatchObject({ duplicates: 3, conflicts: 0 });
  });

  test("draws the picture of the series anew", async () => {
    const id = await importBoth();
    const object = await archive.store.objects.stage(
      1,
      (async function* () {
        yield Uint8Array.of(1);
      })(),
    );
    await archive.store.objects.publish([object]);
    await archive.store.changes.setThumbnail(uids.series as SeriesUid, object);
    await archive.store.chooseVariant(id, tools);
    expect(archive.store.changes.thumbnail(uids.series as SeriesUid)).toBeNull();
    expect(await archive.objectFiles()).toHaveLength(3);
  });

  test("leaves nothing of either when the study is deleted", async () => {
    await archive.store.chooseVariant(await importBoth(), tools);
    await archive.store.changes.deleteStudy(study);
    expect(await filesBelow(path.join(archive.dataFolder, "objects"))).toEqual([]);
  });

  test("is refused for a file of another series, and for one that is gone", async () => {
    await archive.importPaths(await archive.write("a/1.dcm", first));
    await archive.importPaths(await archive.write("a/2.dcm", makeDicom({ ...uids, series: "1.1.2" })));
    const [other] = archive.store.variants.ofInstance(instance);
    await expect(archive.store.chooseVariant(other!.id, tools)).rejects.toMatchObject({ code: "bad-input" });
    await archive.store.objects.remove([other!.object]);
    await expect(archive.store.chooseVariant(other!.id, tools)).rejects.toMatchObject({
      code: "archive-damaged",
    });
    await expect(archive.store.chooseVariant("0".repeat(32), tools)).rejects.toMatchObject({
      code: "not-found",
    });
    expect((await contentOf(archive.store.catalog.instance(instance).object)).equals(first)).toBe(true);
  });

  test("counts stand by study", async () => {
    expect(archive.store.variants.counts()).toEqual([]);
    const id = await importBoth();
    expect(archive.store.variants.counts()).toEqual([{ studyInstanceUid: study, files: 1 }]);
    await archive.store.chooseVariant(id, tools);
    expect(archive.store.variants.counts()).toEqual([{ studyInstanceUid: study, files: 1 }]);
  });
});

describe("records that are left of a choice that was cut short", () => {
  const record = (name: string, importedAt: string, chosenAt?: string) => ({
    name,
    value: { sopInstanceUid: instance, importedAt, ...(chosenAt ? { chosenAt } : {}) } as never,
  });

  test("count only as far as they are of the last choice or later", () => {
    const names = (found: ReturnType<typeof record>[]) => validRecords(found).map(({ name }) => name);
    expect(names([record("a", "2026-01-01"), record("b", "2026-01-02")])).toEqual(["a", "b"]);
    expect(
      names([
        record("before", "2026-01-01"),
        record("first choice", "2026-01-01", "2026-02-01"),
        record("last choice", "2026-01-01", "2026-03-01"),
        record("came later", "2026-04-01"),
      ]),
    ).toEqual(["last choice", "came later"]);
  });
});

describe("an answer about an image whose file was changed for another", () => {
  const answer = (askedAt: string) =>
    ({
      askedAt,
      answer: { views: [{ source: { instance } }], warnings: ["old"] },
    }) as unknown as AnswerRecord;

  test("says so when it was given before, and not when it was given after", async () => {
    const { variants } = archive.store;
    expect(withExchange(answer("2020-01-01T00:00:00.000Z"), variants).imageExchangedAt).toBeUndefined();
    await archive.store.chooseVariant(await importBoth(), tools);
    const before = withExchange(answer("2020-01-01T00:00:00.000Z"), archive.store.variants);
    expect(before.imageExchangedAt).toEqual(expect.any(String));
    expect(before.answer.warnings).toEqual(["old", expect.stringContaining("another file")]);
    const after = withExchange(answer("2999-01-01T00:00:00.000Z"), archive.store.variants);
    expect(after.answer.warnings).toEqual(["old"]);
  });
});
