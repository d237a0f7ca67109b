import { cp, readdir, rename, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { normalised } from "../../../../archive/import/dicomdir.ts";
import { createUploads } from "../../../../archive/import/uploads.ts";
import { hasSharedData, sharedData, sharedDataMissing } from "../../../shared-data.ts";
import { makeDicom } from "./make-dicom.ts";
import { type DirectoryEntry, makeDicomdir } from "./make-dicomdir.ts";
import { makeZip } from "./make-zip.ts";
import { openTestImport, type TestImport } from "./test-import.ts";

let archive: TestImport;
beforeEach(async () => {
  archive = await openTestImport();
});
afterEach(() => archive.remove());

const slice = (instance: number, study = "1.1") =>
  makeDicom({ study, series: `${study}.1`, instance: `${study}.1.${instance}`, instanceNumber: instance });

const listing = (...files: string[]): DirectoryEntry[] => [
  {},
  ...files.map((name) => ({ file: name.split("/") })),
];
const messages = (report: { warnings: { error: { code: string; message: string } }[] }) =>
  report.warnings.map(({ error }) => `${error.code}: ${error.message}`);

describe("a folder with a DICOMDIR", () => {
  test("is read whole, also what the DICOMDIR does not name, and says what is missing", async () => {
    await archive.write("DICOMDIR", makeDicomdir(listing("IMG/1", "IMG/2", "IMG/3", "IMG/4", "IMG/5")));
    await archive.write("IMG/1", slice(1));
    await archive.write("IMG/unlisted", slice(9));
    const report = await archive.importPaths(archive.input);
    expect(report).toMatchObject({ imported: 2, ignored: 1, failed: 0 });
    expect(messages(report)).toEqual([
      "file-not-found: The list of this medium (DICOMDIR) names 4 files that are not there: IMG/2, IMG/3, IMG/4 and others. The medium or the copy is incomplete.",
    ]);
  });

  test.each([
    ["another case", "dicomdir", "img/im1"],
    ["version numbers", "DICOMDIR.;1", "IMG/IM1.;1"],
    ["dots at the end", "DICOMDIR.", "IMG./IM1."],
  ])("is understood in %s", async (_, directory, name) => {
    await archive.write(directory, makeDicomdir(listing("IMG/IM1")));
    await archive.write(name, slice(1));
    expect(await archive.importPaths(archive.input)).toMatchObject({ imported: 1, warnings: [] });
  });

  test("of several patients, and one within another, has a list each", async () => {
    await archive.write("DICOMDIR", makeDicomdir([...listing("A/1"), ...listing("B/1", "B/2")]));
    await archive.write("A/1", slice(1, "1.1"));
    await archive.write("B/1", slice(1, "1.2"));
    await archive.write("B/2", slice(2, "1.2"));
    await archive.write("INNER/DICOMDIR", makeDicomdir(listing("C/1", "C/2")));
    await archive.write("INNER/C/1", slice(1, "1.3"));
    const report = await archive.importPaths(archive.input);
    expect(report).toMatchObject({ imported: 4, studies: ["1.1", "1.2", "1.3"] });
    expect(messages(report)).toEqual([expect.stringContaining("1 file that is not there: C/2.")]);
  });

  test("does not miss records that were deleted", async () => {
    await archive.write("DICOMDIR", makeDicomdir([{ file: ["GONE"], inUse: false }, { file: ["1"] }]));
    await archive.write("1", slice(1));
    expect(await archive.importPaths(archive.input)).toMatchObject({ imported: 1, warnings: [] });
  });

  test.each([
    ["no DICOM", Buffer.from("not at all")],
    ["empty", Buffer.alloc(0)],
    ["cut short", makeDicomdir(listing("1", "2", "3")).subarray(0, -70)],
    ["without its list", slice(77)],
  ])("that is %s is named, and the folder is read all the same", async (_, content) => {
    await archive.write("DICOMDIR", content);
    await archive.write("deep/1", slice(1));
    const report = await archive.importPaths(archive.input);
    expect(report).toMatchObject({ imported: 1, failed: 0, ignored: 1 });
    expect(report.warnings.map(({ error }) => error.code)).toEqual(["dicomdir-damaged"]);
    // Chosen by itself, likewise.
    const alone = await archive.importPaths(path.join(archive.input, "DICOMDIR"));
    expect(alone).toMatchObject({ imported: 0, duplicates: 1 });
    expect(alone.warnings.map(({ error }) => error.code)).toEqual(["dicomdir-damaged"]);
  });
});

describe("a DICOMDIR that was chosen by itself", () => {
  test("brings what it names, and nothing else", async () => {
    const directory = await archive.write("DICOMDIR", makeDicomdir(listing("IMG/1", "IMG/2")));
    await archive.write("img/1", slice(1));
    await archive.write("IMG/2.;1", slice(2));
    await archive.write("other", slice(3));
    expect(await archive.importPaths(directory)).toMatchObject({ imported: 2, ignored: 1, warnings: [] });
  });

  test("never leads out of its folder", async () => {
    await archive.write("secret", slice(1));
    await archive.write("disc/inside", slice(2));
    const names = [
      ["..", "SECRET"],
      ["../SECRET"],
      [path.join(archive.input, "secret")],
      ["INSIDE", "..", "..", "SECRET"],
      ["C:SECRET"],
      ["."],
      ["LINK"],
    ];
    const directory = await archive.write(
      "disc/DICOMDIR",
      makeDicomdir([...names.map((file) => ({ file })), { file: ["INSIDE"] }]),
    );
    await symlink(path.join(archive.input, "secret"), path.join(archive.input, "disc", "LINK"));
    const report = await archive.importPaths(directory);
    expect(report).toMatchObject({ imported: 1, failed: 0 });
    expect(messages(report)).toEqual([
      expect.stringContaining("1 file that is not there: LINK."),
      expect.stringContaining(
        "forbidden: The list of this medium (DICOMDIR) names 6 files outside its folder.",
      ),
    ]);
  });
});

describe("a DICOMDIR elsewhere", () => {
  test("is compared within its ZIP, and within its upload", async () => {
    const zip = makeZip([
      { name: "CD/DICOMDIR", content: makeDicomdir(listing("IMG/1", "IMG/2")) },
      { name: "CD/IMG/1", content: slice(1) },
    ]);
    await archive.write("IMG/2", slice(2));
    const report = await archive.importPaths(await archive.write("disc.zip", zip));
    expect(report).toMatchObject({ imported: 1 });
    expect(messages(report)).toEqual([expect.stringContaining("1 file that is not there: IMG/2.")]);

    const uploads = createUploads(archive.store.spools);
    const send = (name: string, chunk: Buffer) =>
      uploads.receive({ upload: "u", name, offset: 0, chunk, last: true });
    await send("CD/DICOMDIR", makeDicomdir(listing("IMG/1", "IMG/3")));
    await send("CD/img/1", slice(1));
    const uploaded = await archive.run(uploads.candidates("u"));
    expect(messages(uploaded)).toEqual([expect.stringContaining("1 file that is not there: IMG/3.")]);
  });

  test("names are compared without case, versions and last dots, and nothing more", () => {
    expect(normalised("IMG\\IM1.DCM;1")).toBe("img/im1.dcm");
    expect(normalised("A./B.;32767")).toBe("a/b");
    expect(normalised("a;b.c")).toBe("a;b.c");
  });
});

describe.skipIf(!hasSharedData)(
  `media of the corpus${hasSharedData ? "" : ` (${sharedDataMissing})`}`,
  () => {
    const media = sharedData("dicom", "dicomdir");

    test("TINY_ALPHA is complete", async () => {
      const report = await archive.importPaths(path.join(media, "TINY_ALPHA"));
      expect(report).toMatchObject({ imported: 50, failed: 0, warnings: [] });
    });

    test.each([
      "DICOMDIR",
      "DICOMDIR-bigEnd",
      "DICOMDIR-implicit",
      "DICOMDIR-nooffset",
      "DICOMDIR-nopatient",
      "DICOMDIR-reordered",
    ])("%s names the files that are there", async (name) => {
      const disc = path.join(archive.folder, "disc");
      await cp(media, disc, { recursive: true });
      await rm(path.join(disc, "TINY_ALPHA"), { recursive: true });
      for (const other of (await readdir(disc)).filter((one) => one.startsWith("DICOMDIR"))) {
        if (other !== name) await rm(path.join(disc, other));
      }
      if (name !== "DICOMDIR") await rename(path.join(disc, name), path.join(disc, "DICOMDIR"));
      const files = (await readdir(disc, { recursive: true, withFileTypes: true })).filter((entry) =>
        entry.isFile(),
      );
      const report = await archive.importPaths(path.join(disc, "DICOMDIR"));
      expect(messages(report)).toEqual([]);
      expect(report.imported).toBe(files.length - 1);
    });
  },
);
