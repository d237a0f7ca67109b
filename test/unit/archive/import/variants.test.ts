import { rm } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { InstanceUid, StudyUid } from "../../../../core/study.ts";
import { filesBelow, filesWithText } from "../store/test-archive.ts";
import { element, file, imageElements } from "../../../fixtures/dicom/build-dicom.ts";
import { makeDicom } from "./make-dicom.ts";
import { openTestImport, type TestImport } from "./test-import.ts";

let archive: TestImport;
beforeEach(async () => {
  archive = await openTestImport();
});
afterEach(() => archive.remove());

const uids = { study: "1.1", series: "1.1.1", instance: "1.1.1.1" };
const study = uids.study as StudyUid;
const instance = uids.instance as InstanceUid;
const first = makeDicom({ ...uids, value: 100 });
const other = makeDicom({ ...uids, value: 200 });

async function contentOf(object: string): Promise<Buffer> {
  const source = await archive.store.objects.open(object);
  return Buffer.from(await source.read(0, source.size));
}

describe("a file with the UID of another and other content", () => {
  test("is kept beside it, told of, and readable; the first stays", async () => {
    await archive.importPaths(await archive.write("1.dcm", first));
    const report = await archive.importPaths(await archive.write("2.dcm", other));
    expect(report).toMatchObject({ imported: 0, duplicates: 0, conflicts: 1, studies: ["1.1"] });
    const [variant] = archive.store.variants.ofStudy(study);
    expect(report.conflicting).toMatchObject([
      {
        name: "2.dcm",
        variant: {
          id: variant!.id,
          sopInstanceUid: instance,
          bytes: other.length,
          first: { bytes: first.length },
          difference: { pixels: "different", elements: [], moreElements: 0 },
        },
      },
    ]);
    expect((await contentOf(archive.store.catalog.instance(instance).object)).equals(first)).toBe(true);
    expect((await contentOf(variant!.object)).equals(other)).toBe(true);
    expect(archive.store.health()).toMatchObject({ instances: 1, bytes: first.length + other.length });
  });

  test("stays over a restart, and is a duplicate when it comes again, from either side", async () => {
    await archive.write("a/1.dcm", first);
    await archive.write("a/2.dcm", other);
    expect(await archive.importPaths(archive.input)).toMatchObject({ imported: 1, conflicts: 1 });
    await archive.reopen();
    expect(archive.store.health().repairs).toEqual([]);
    expect(await archive.importPaths(archive.input)).toMatchObject({ duplicates: 2, conflicts: 0 });
    expect(archive.store.variants.ofInstance(instance)).toHaveLength(1);
    const third = makeDicom({ ...uids, value: 7 });
    await archive.importPaths(await archive.write("b/3.dcm", third));
    expect(archive.store.variants.ofInstance(instance).map(({ bytes }) => bytes)).toHaveLength(2);
    // The first, two others and their two records.
    expect(await archive.objectFiles()).toHaveLength(5);
  });

  test("says which attributes differ, with values where they are technical and never a patient's", async () => {
    const syntax = "1.2.840.10008.1.2.1";
    const pixels = element(0x7fe00010, "OB", Uint8Array.of(1, 2, 3, 4));
    const shape = { rows: 2, columns: 2 };
    const one = file(imageElements(shape, [pixels, element(0x00281050, "DS", "40")]), syntax);
    const two = file(
      imageElements(shape, [
        pixels,
        element(0x00281050, "DS", "60"),
        element(0x00100010, "PN", "Another^Person"),
        element(0x00100020, "LO", "ID-9"),
        element(0x00180015, "CS", "CHEST"),
        element(0x00080060, "CS", "Doe^John"),
        element(0x00091001, "LO", "private words"),
      ]),
      syntax,
    );
    await archive.importPaths(await archive.write("1.dcm", Buffer.from(one)));
    const { conflicting } = await archive.importPaths(await archive.write("2.dcm", Buffer.from(two)));
    const { difference } = conflicting[0]!.variant;
    expect(difference).toEqual({
      pixels: "same",
      elements: [
        { tag: "(0008,0060)", keyword: "Modality", first: "OT", second: null },
        { tag: "(0009,1001)", keyword: "", first: null, second: null },
        { tag: "(0010,0010)", keyword: "PatientName", first: null, second: null },
        { tag: "(0010,0020)", keyword: "PatientID", first: null, second: null },
        { tag: "(0018,0015)", keyword: "BodyPartExamined", first: null, second: null },
        { tag: "(0028,1050)", keyword: "WindowCenter", first: "40", second: "60" },
      ],
      moreElements: 0,
    });
    expect(JSON.stringify(conflicting)).not.toMatch(/Another|Person|ID-9|Doe|private words/);
    expect(await filesWithText(archive.dataFolder, "Another^Person")).toEqual([]);
  });

  test("is kept where the first is damaged, without a comparison", async () => {
    await archive.importPaths(await archive.write("1.dcm", first));
    await archive.store.objects.remove([archive.store.catalog.instance(instance).object]);
    const { conflicting } = await archive.importPaths(await archive.write("2.dcm", other));
    expect(conflicting[0]!.variant.difference).toBeNull();
  });

  test("is still second when the index was made again from the files", async () => {
    // Often enough that the names of the objects come in either order.
    for (let i = 1; i <= 12; i += 1) {
      const more = { study: "1.1", series: "1.1.1", instance: `1.1.1.${i}` };
      await archive.write(`1/${i}.dcm`, makeDicom({ ...more, value: 1 }));
      await archive.write(`2/${i}.dcm`, makeDicom({ ...more, value: 2 }));
    }
    const before = await archive.importPaths(archive.input);
    expect(before).toMatchObject({ imported: 12, conflicts: 12 });
    const rows = archive.store.variants.ofStudy(study);
    await archive.reopen(() => rm(path.join(archive.dataFolder, "archive.pages")));
    expect(archive.store.health()).toMatchObject({
      instances: 12,
      repairs: [expect.stringContaining("12 images, 0 answers.")],
    });
    const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
    expect(archive.store.variants.ofStudy(study).toSorted(byId)).toEqual(rows.toSorted(byId));
    expect(await archive.importPaths(archive.input)).toMatchObject({ duplicates: 24, conflicts: 0 });
  });

  test("goes with its study, and leaves no file", async () => {
    await archive.write("a/1.dcm", first);
    await archive.write("a/2.dcm", other);
    await archive.importPaths(archive.input);
    await archive.store.changes.deleteStudy(study);
    expect(await filesBelow(path.join(archive.dataFolder, "objects"))).toEqual([]);
    expect(() => archive.store.variants.ofStudy(study)).toThrow(
      expect.objectContaining({ code: "study-not-found" }),
    );
  });

  test("brought by two imports at once is kept once", async () => {
    await archive.importPaths(await archive.write("1.dcm", first));
    const second = await archive.write("2.dcm", other);
    const both = await Promise.all([archive.importPaths(second), archive.importPaths(second)]);
    expect(both[0].conflicts + both[1].conflicts).toBe(1);
    expect(both[0].duplicates + both[1].duplicates).toBe(1);
    expect(await archive.objectFiles()).toHaveLength(3);
  });
});
