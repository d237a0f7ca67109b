import path from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { filesBelow } from "../store/test-archive.ts";
import { makeDicom } from "./make-dicom.ts";
import { makeZip, type ZipEntry } from "./make-zip.ts";
import { openTestImport, type TestImport } from "./test-import.ts";

let archive: TestImport;
let folder: string;

beforeEach(async () => {
  archive = await openTestImport();
  ({ folder } = archive);
});
afterEach(() => archive.remove());

const importPaths = (...paths: string[]) => archive.importPaths(...paths);
const write = (name: string, content: Buffer) => archive.write(name, content);

function slice(instance: number): Buffer {
  return makeDicom({
    study: "1.1",
    series: "1.1.1",
    instance: `1.1.1.${instance}`,
    instanceNumber: instance,
    value: instance,
  });
}

describe("ZIP", () => {
  async function importZip(entries: readonly ZipEntry[]) {
    return importPaths(await write("disc.zip", makeZip(entries)));
  }

  test("is read with folders, both packings, and a ZIP within", async () => {
    const inner = makeZip([{ name: "deep/3.dcm", content: slice(3) }]);
    const done = await importZip([
      { name: "IMG/1.dcm", content: slice(1) },
      { name: "IMG/2.dcm", content: slice(2), stored: true },
      { name: "IMG/", content: Buffer.alloc(0), stored: true },
      { name: "inner.zip", content: inner, stored: true },
      { name: "viewer.exe", content: Buffer.from("MZ and so on") },
    ]);
    expect(done).toMatchObject({ imported: 3, ignored: 1, failed: 0 });
  });

  test("with hostile names writes nowhere", async () => {
    const before = (await filesBelow(folder)).filter((file) => !file.includes(`${path.sep}data${path.sep}`));
    const done = await importZip([
      { name: "../../../escape.dcm", content: slice(1) },
      { name: "/etc/escape.dcm", content: slice(2) },
      { name: "C:\\escape.dcm", content: slice(3) },
    ]);
    expect(done).toMatchObject({ imported: 3, failed: 0 });
    const after = (await filesBelow(folder)).filter((file) => !file.includes(`${path.sep}data${path.sep}`));
    expect(after).toEqual([...before, path.join(folder, "in", "disc.zip")]);
  });

  test.each([
    ["a size that is too small", { size: 10 }],
    ["a size that is too large", { size: 100_000 }],
    ["a wrong checksum", { crc: 1 }],
  ])("that lies by %s is named, and its other files are imported", async (_, claims) => {
    const { imported, failures } = await importZip([
      { name: "lie.dcm", content: slice(1), claims },
      { name: "true.dcm", content: slice(2) },
    ]);
    expect(imported).toBe(1);
    expect(failures).toEqual([
      { type: "failed", name: "lie.dcm", error: { code: "zip-damaged", message: expect.any(String) } },
    ]);
  });

  test("whose files lie over one another is refused", async () => {
    const kernel = Buffer.alloc(1_000_000);
    const entries = Array.from({ length: 50 }, (_, i) => ({
      name: `${i}`,
      content: kernel,
      claims: { offset: 0 },
    }));
    const packed = makeZip(entries.slice(0, 1));
    // All fifty entries of the directory point at the one file.
    const directory = makeZip(entries);
    const start = directory.indexOf(Buffer.from("PK\x01\x02", "latin1"));
    const end = Buffer.from(directory.subarray(-22));
    const body = packed.subarray(0, packed.indexOf(Buffer.from("PK\x01\x02", "latin1")));
    end.writeUInt32LE(body.length, 16);
    const bomb = Buffer.concat([body, directory.subarray(start, -22), end]);
    const { failures, imported } = await importPaths(await write("bomb.zip", bomb));
    expect(imported).toBe(0);
    expect(failures.map(({ name, error }) => [name, error.code])).toEqual([["bomb.zip", "zip-damaged"]]);
  });

  test("that unpacks to far more than its size is not read further", async () => {
    const zeros = Buffer.alloc(1024);
    const { failures } = await importZip(
      ["1", "2", "3"].map((name) => ({ name, content: zeros, claims: { size: 400 * 1024 ** 2 } })),
    );
    expect(failures.map(({ error }) => error.code)).toEqual(["too-large"]);
  });

  test("nested without end is not entered without end", async () => {
    let nested = makeZip([{ name: "1.dcm", content: slice(1) }]);
    for (let i = 0; i < 5; i += 1) nested = makeZip([{ name: "more.zip", content: nested }]);
    expect(await importPaths(await write("nested.zip", nested))).toMatchObject({ imported: 0, ignored: 1 });
  });

  test("with a password, cut short or garbled is named", async () => {
    const locked = await importZip([{ name: "1.dcm", content: slice(1), claims: { flags: 1 } }]);
    expect(locked.failures[0]!.error.code).toBe("not-supported");
    const whole = makeZip([{ name: "1.dcm", content: slice(1) }]);
    for (const broken of [
      whole.subarray(0, -30),
      Buffer.concat([whole.subarray(0, 40), Buffer.alloc(200)]),
    ]) {
      const { failures } = await importPaths(await write("broken.zip", broken));
      expect(failures.map(({ error }) => error.code)).toEqual(["zip-damaged"]);
    }
  });

  test("leaves nothing of itself behind", async () => {
    const large = makeDicom({ study: "1.1", series: "1.1.1", instance: "1.1.1.7", side: 2400 });
    await importZip([{ name: "large.dcm", content: large }]);
    expect((await filesBelow(path.join(folder, "data"))).filter((file) => file.includes("spool"))).toEqual(
      [],
    );
  });

  test("with links in it reads neither them nor where they lead", async () => {
    const outside = await write("secret.dcm", slice(9));
    const done = await importZip([
      { name: "link.dcm", content: Buffer.from(outside), claims: { mode: 0o120777 } },
      { name: "1.dcm", content: slice(1), claims: { mode: 0o100644 } },
    ]);
    expect(done).toMatchObject({ imported: 1, ignored: 1, failed: 0 });
  });

  test("that unpacks more than it says is cut off there", async () => {
    const content = Buffer.concat([slice(1), Buffer.alloc(64 * 1024 ** 2)]);
    const claims = { size: 5000, crc: crc32(content.subarray(0, 5000)) };
    const { failures, imported } = await importZip([{ name: "bomb.dcm", content, claims }]);
    expect(imported).toBe(0);
    expect(failures.map(({ error }) => error.code)).toEqual(["zip-damaged"]);
  });

  test("whose ZIPs within together unpack to far more than its size is not read to the end", async () => {
    const zeros = Buffer.alloc(1024);
    // Each claims 400 MB, which one alone may.
    const inner = makeZip([{ name: "zeros", content: zeros, claims: { size: 400 * 1024 ** 2 } }]);
    const done = await importZip(
      [1, 2, 3, 4].map((number) => ({ name: `${number}.zip`, content: inner, stored: true })),
    );
    // The first two are read, and found to lie; the others are not begun.
    expect(done.failures.map(({ name, error }) => [name, error.code])).toEqual([
      ["zeros", "zip-damaged"],
      ["zeros", "zip-damaged"],
      ["3.zip", "too-large"],
      ["4.zip", "too-large"],
    ]);
  });

  test("that says it has more files, or none, is named or read as it is", async () => {
    const whole = makeZip([{ name: "1.dcm", content: slice(1) }]);
    for (const [at, value] of [
      [8, 0xfffe],
      [10, 0xfffe],
      [16, 0x7fffffff],
      [12, 0xfffffff0],
    ] as const) {
      const lying = Buffer.from(whole);
      if (at < 12) lying.writeUInt16LE(value, lying.length - 22 + at);
      else lying.writeUInt32LE(value, lying.length - 22 + at);
      const { failures, imported, duplicates } = await importPaths(await write("lying.zip", lying));
      const named = failures.every(({ error }) => error.code === "zip-damaged");
      expect([at, named, failures.length + imported + duplicates > 0]).toEqual([at, true, true]);
    }
  });

  test("with two files of one name reads both", async () => {
    const done = await importZip([
      { name: "same.dcm", content: slice(1) },
      { name: "same.dcm", content: slice(2) },
    ]);
    expect(done).toMatchObject({ imported: 2 });
  });
});
