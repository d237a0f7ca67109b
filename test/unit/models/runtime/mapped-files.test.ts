import { readFile, realpath } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { unchangedFiles } from "../../../../models/runtime/ort/mapped-files.ts";
import {
  fixtureSource,
  logitsOf,
  openLanguage,
  runImport,
  temporaryFolder,
} from "../import/imported-language.ts";

const entry = (range: string, file: string, anonymous: number) =>
  [
    `${range} rw-p 00001000 fe:00 1311778                    ${file}`,
    "Size:                  8 kB",
    "Rss:                   4 kB",
    `Anonymous:             ${anonymous} kB`,
    "VmFlags: rd wr mr mw me ac sd",
    "",
  ].join("\n");

describe("files in memory that can be let go", () => {
  const all = [
    entry("7f0000001000-7f0000003000", "/packs/one/weights 0.bin", 0),
    entry("7f0000004000-7f0000005000", "/packs/one/weights-1.bin", 4),
    entry("7f0000006000-7f0000007000", "/packs/one-more/weights-0.bin", 0),
    entry("7f0000008000-7f0000009000", "[heap]", 0),
    "7f000000a000-7f000000b000 rw-p 00000000 00:00 0 \nSize: 4 kB\nAnonymous: 0 kB\n",
  ].join("");

  test("lie in the folder and were not written to", () => {
    expect(unchangedFiles(all, "/packs/one/")).toEqual([{ from: 0x7f0000001000, to: 0x7f0000003000 }]);
  });

  test("are none where nothing of the folder is mapped", () => {
    expect(unchangedFiles(all, "/packs/two/")).toEqual([]);
    expect(unchangedFiles("", "/packs/one/")).toEqual([]);
  });
});

/** KiB of a folder's files that count as this process's memory, and how many of them are mapped. */
async function held(folder: string): Promise<{ files: number; kib: number }> {
  const place = `${await realpath(folder)}${path.sep}`;
  const smaps = (await readFile("/proc/self/smaps", "utf8")).split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const own = smaps.filter((one) => one.includes(place));
  const kib = own.reduce((sum, one) => sum + Number(/^Rss: +(\d+) kB$/m.exec(one)![1]), 0);
  return { files: own.length, kib };
}

test.skipIf(process.platform !== "linux")(
  "a loaded model does not hold the files it came from, and answers",
  async () => {
    const folder = await temporaryFolder();
    const source = await fixtureSource(path.join("decoders", "llama3"), folder.path);
    const pack = await runImport({ source, targetFolder: folder.path, name: "pack", precision: "float32" });
    const model = await openLanguage(pack);
    const loaded = await held(pack);
    expect(loaded.files).toBeGreaterThan(0);
    expect(loaded.kib).toBe(0);
    // Weights that the kernels read where they lie come back as they were.
    const ids = [1, 2, 3, 4];
    const [first, again] = [await logitsOf(model, ids), await logitsOf(model, ids)];
    expect(first.flatMap((row) => [...row]).every(Number.isFinite)).toBe(true);
    expect(again).toEqual(first);
    await model.dispose();
    expect(await held(pack)).toEqual({ files: 0, kib: 0 });
    await folder.remove();
  },
);
