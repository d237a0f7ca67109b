import {
  copyFile,
  cp,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AppError } from "../../../../core/errors.ts";
import type { AnswerRecord } from "../../../../core/question.ts";
import { type ArchiveStore, openArchiveStore } from "../../../../archive/store/archive-store.ts";
import { deriveKeys } from "../../../../archive/store/derived-keys.ts";
import { createObjectStore } from "../../../../archive/store/objects.ts";
import { bytesSource } from "../../../../archive/byte-source.ts";
import { makeDicom } from "../import/make-dicom.ts";
import { addObject, dataKey, filesBelow, patientName, readHeader, temporaryFolder } from "./test-archive.ts";

/**
 * A bit that changes on disk leaves the archive as it was, or is repaired, or is named: never other data, and never
 * the end of the process (which would end this test too).
 */

let folder: string;
let remove: () => Promise<void>;
/** As a killed process leaves it: the log not folded in. */
let killed: string;
/** As a closed archive. */
let closed: string;
let expected: string;

beforeAll(async () => {
  ({ folder, remove } = await temporaryFolder());
  const source = path.join(folder, "source");
  [killed, closed] = [path.join(folder, "killed"), path.join(folder, "closed")];
  let store = await openArchiveStore({ dataFolder: source, dataKey, readHeader });
  await fill(store, [1, 2]);
  await store.close();
  store = await openArchiveStore({ dataFolder: source, dataKey, readHeader });
  await fill(store, [3, 4]);
  expected = await everything(store);
  await cp(source, killed, { recursive: true });
  await store.close();
  // libsql removes the empty log some time after the close.
  const isLog = /-(wal|shm)$/;
  await cp(source, closed, { recursive: true, filter: (file) => !isLog.test(file) });
  expect((await stat(path.join(killed, "archive.db-wal"))).size).toBeGreaterThan(100_000);
});
afterAll(() => remove());

async function fill(store: ArchiveStore, studies: readonly number[]): Promise<void> {
  for (const study of studies) {
    for (let instance = 1; instance <= 5; instance += 1) {
      const series = `1.2.${study}.${1 + (instance % 2)}`;
      const uids = { study: `1.2.${study}`, series, instance: `${series}.${instance}` };
      const content = makeDicom({
        ...uids,
        instanceNumber: instance,
        value: instance,
        side: 40,
        patientName,
      });
      await addObject(store, await readHeader(bytesSource(content)), content);
    }
    const subject = { studyInstanceUid: `1.2.${study}` };
    const text = "No pleural effusion is seen. ".repeat(40);
    await store.answers.save({
      id: `answer-${study}`,
      askedAt: "2026-01-01",
      subject,
      text,
    } as unknown as AnswerRecord);
  }
}

/** Every study, series, image and answer, as text to compare. */
async function everything(store: ArchiveStore): Promise<string> {
  const all: unknown[] = [];
  for (const study of store.catalog.studies("")) {
    // When it came is not in the files.
    all.push({ ...study, importedAt: "" }, store.answers.ofStudy(study.studyInstanceUid));
    for (const series of store.catalog.series(study.studyInstanceUid)) {
      all.push(series);
      for (const { sopInstanceUid } of series.instances) {
        const row = store.catalog.instance(sopInstanceUid);
        const source = await store.objects.open(row.object);
        all.push(row, Buffer.from(await source.read(0, source.size)).toString("base64"));
      }
    }
  }
  return JSON.stringify(all);
}

let copies = 0;

type Outcome = "unchanged" | "repaired" | "archive-damaged" | "OTHER DATA";

/** A copy of the index; the objects, which such tests leave alone, are shared. */
async function copyIndex(from: string, copy: string): Promise<void> {
  await mkdir(copy);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (entry.isFile()) await copyFile(path.join(from, entry.name), path.join(copy, entry.name));
  }
  await symlink(path.join(from, "objects"), path.join(copy, "objects"));
}

const copyWhole = (from: string, copy: string) => cp(from, copy, { recursive: true });

async function outcomeOf(
  from: string,
  harm: (copy: string) => Promise<void>,
  copying = copyIndex,
): Promise<Outcome> {
  // A folder of its own: libsql closes a little later, and would take the log of a copy in the same place with it.
  const copy = path.join(folder, `copy-${copies++}`);
  await copying(from, copy);
  await harm(copy);
  let store: ArchiveStore | null = null;
  try {
    store = await openArchiveStore({ dataFolder: copy, dataKey, readHeader });
    const found = await everything(store);
    if (found !== expected) return "OTHER DATA";
    return store.health().repairs.length > 0 ? "repaired" : "unchanged";
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(AppError);
    expect((thrown as AppError).code).toBe("archive-damaged");
    return "archive-damaged";
  } finally {
    await store
      ?.close()
      .catch((thrown: unknown) => expect(thrown).toMatchObject({ code: "archive-damaged" }));
    await rm(copy, { recursive: true });
  }
}

async function flipBit(file: string, bit: number): Promise<void> {
  const handle = await open(file, "r+");
  const octet = Buffer.alloc(1);
  await handle.read(octet, 0, 1, Math.floor(bit / 8));
  octet[0]! ^= 1 << (bit % 8);
  await handle.write(octet, 0, 1, Math.floor(bit / 8));
  await handle.close();
}

/** Numbers that are the same at each run. */
function sequence(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

async function flips(options: { from: string; files: (copy: string) => Promise<string[]>; count: number }) {
  const next = sequence(20_261_122);
  const outcomes: Record<string, number> = {};
  for (let i = 0; i < options.count; i += 1) {
    const outcome = await outcomeOf(options.from, async (copy) => {
      const files = await options.files(copy);
      const file = files[next(files.length)]!;
      await flipBit(file, next((await stat(file)).size * 8));
    });
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  return outcomes;
}

const only = (name: string) => async (copy: string) => [path.join(copy, name)];

describe("200 single-bit flips", () => {
  test.each([
    ["the database of a closed archive", "closed", "archive.db", 30],
    ["the database of a killed process", "killed", "archive.db", 20],
    ["the log of a killed process", "killed", "archive.db-wal", 40],
    ["the record of the pages", "killed", "archive.pages", 20],
  ] as const)("in %s are unchanged, repaired or named", async (_, state, file, count) => {
    const outcomes = await flips({ from: state === "closed" ? closed : killed, files: only(file), count });
    expect(Object.values(outcomes).reduce((sum, n) => sum + n)).toBe(count);
    expect(Object.keys(outcomes)).not.toContain("OTHER DATA");
    if (file !== "archive.pages" && state === "closed") expect(outcomes["repaired"]).toBeGreaterThan(0);
  });

  test("in objects are named", async () => {
    const copy = path.join(folder, "objects-copy");
    await cp(path.join(closed, "objects"), copy, { recursive: true });
    const files = (await filesBelow(copy)).toSorted();
    const next = sequence(5);
    for (let i = 0; i < 90; i += 1) {
      const file = files[next(files.length)]!;
      const bit = next((await stat(file)).size * 8);
      await flipBit(file, bit);
      // A store of its own has nothing in memory.
      const objects = createObjectStore(copy, deriveKeys(dataKey).objects);
      const read = async () => {
        const source = await objects.open(path.basename(file, ".obj"));
        return source.read(0, source.size);
      };
      await expect(read()).rejects.toMatchObject({ code: "archive-damaged" });
      await flipBit(file, bit);
      expect((await read()).length).toBeGreaterThan(0);
    }
  });
});

describe("damage while the archive is open", () => {
  test("never gives other data or a study with slices missing", async () => {
    const next = sequence(7);
    const outcomes = new Set<Outcome>();
    for (let i = 0; i < 20; i += 1) {
      // A folder of its own, as above.
      const copy = path.join(folder, `open-${i}`);
      await copyIndex(closed, copy);
      const store = await openArchiveStore({ dataFolder: copy, dataKey, readHeader });
      const file = path.join(copy, "archive.db");
      const bits = (await stat(file)).size * 8;
      for (let flip = 0; flip < 50; flip += 1) await flipBit(file, next(bits));
      try {
        outcomes.add((await everything(store)) === expected ? "unchanged" : "OTHER DATA");
      } catch (thrown) {
        expect((thrown as AppError).code).toBe("archive-damaged");
        outcomes.add("archive-damaged");
      }
      await store.close();
      // The next start sees what is on disk now, and makes the index again.
      const again = await openArchiveStore({ dataFolder: copy, dataKey, readHeader });
      expect(again.health().repairs[0]).toMatch(
        /^The index was damaged and was made again .* 20 images, 4 answers\.$/,
      );
      expect(await everything(again)).toBe(expected);
      await again.close();
      await rm(copy, { recursive: true });
    }
    expect(outcomes).not.toContain("OTHER DATA");
    expect(outcomes).toContain("archive-damaged");
  });
});

describe("what is not a flipped bit", () => {
  test.each([
    ["the log cut short by a frame", "killed", "archive.db-wal", (size: number) => size - 4120],
    ["the log emptied", "killed", "archive.db-wal", () => 0],
    ["the database cut short by a page", "closed", "archive.db", (size: number) => size - 4096],
    ["the database emptied", "closed", "archive.db", () => 0],
    ["the record emptied", "closed", "archive.pages", () => 0],
  ] as const)("%s is repaired", async (_, state, file, size) => {
    const outcome = await outcomeOf(state === "closed" ? closed : killed, async (copy) => {
      const target = path.join(copy, file);
      await truncate(target, size((await stat(target)).size));
    });
    expect(outcome).toBe("repaired");
  });

  test.each(["archive.db", "archive.pages"])("%s missing is repaired", async (file) => {
    expect(await outcomeOf(closed, (copy) => rm(path.join(copy, file)))).toBe("repaired");
  });

  test("the log missing is repaired", async () => {
    expect(await outcomeOf(killed, (copy) => rm(path.join(copy, "archive.db-wal")))).toBe("repaired");
  });

  test("an older database under a newer record is repaired", async () => {
    const outcome = await outcomeOf(closed, async (copy) => {
      await cp(path.join(killed, "archive.db"), path.join(copy, "archive.db"));
    });
    expect(outcome).toBe("repaired");
  });

  test("two objects in each other's place are named", async () => {
    const outcome = await outcomeOf(
      closed,
      async (copy) => {
        const [first, second] = await filesBelow(path.join(copy, "objects"));
        await rename(first!, `${first}.x`);
        await rename(second!, first!);
        await rename(`${first}.x`, second!);
      },
      copyWhole,
    );
    expect(outcome).toBe("archive-damaged");
  });
});

describe("making the index again", () => {
  test("goes on where it was cut short", async () => {
    const outcome = await outcomeOf(closed, async (copy) => {
      // As a process leaves it that was killed in mid-rebuild: marked, the new index without its rows.
      const fresh = path.join(folder, "fresh");
      const store = await openArchiveStore({ dataFolder: fresh, dataKey, readHeader });
      await store.close();
      for (const name of ["archive.db", "archive.pages"]) {
        await cp(path.join(fresh, name), path.join(copy, name));
      }
      await writeFile(path.join(copy, "archive.rebuild"), "");
      await rm(fresh, { recursive: true });
    });
    expect(outcome).toBe("repaired");
  });

  test("leaves out damaged files, keeps them, and says so", async () => {
    const copy = path.join(folder, "both");
    await cp(closed, copy, { recursive: true });
    const [object] = (await filesBelow(path.join(copy, "objects"))).toSorted();
    await flipBit(object!, 8 * 60);
    await rm(path.join(copy, "archive.pages"));
    const store = await openArchiveStore({ dataFolder: copy, dataKey, readHeader });
    expect(store.health().repairs).toEqual([
      expect.stringMatching(
        /19 images, 4 answers\. 1 files are damaged too|20 images, 3 answers\. 1 files are damaged too/,
      ),
    ]);
    await store.close();
    const files = await filesBelow(path.join(copy, "objects"));
    expect(files.filter((file) => file.endsWith(".damaged"))).toHaveLength(1);
    expect(files).toHaveLength(24);
  });

  test("is not begun with a wrong key", async () => {
    const copy = path.join(folder, "key");
    await cp(closed, copy, { recursive: true });
    const opening = openArchiveStore({ dataFolder: copy, dataKey: Buffer.alloc(32, 9), readHeader });
    await expect(opening).rejects.toMatchObject({ code: "archive-damaged" });
    const store = await openArchiveStore({ dataFolder: copy, dataKey, readHeader });
    expect(store.health().repairs).toEqual([]);
    await store.close();
  });
});

describe("a process that ended between two writes", () => {
  test("after the commit, before its record: the commit holds", async () => {
    const outcome = await outcomeOf(killed, async (copy) => {
      // The record as it was before the commits that the log holds: what stands in a fresh record is the database.
      const recorded = await recordOfDatabase(copy);
      await writeFile(path.join(copy, "archive.pages"), recorded);
    });
    expect(outcome).toBe("unchanged");
  });

  test("in the middle of a record: the rest of it is made up for", async () => {
    const outcome = await outcomeOf(killed, async (copy) => {
      const file = path.join(copy, "archive.pages");
      const handle = await open(file, "r+");
      const { end } = await lastRecord(file);
      await handle.write(Buffer.alloc(40), 0, 40, end - 40);
      await handle.close();
    });
    expect(outcome).toBe("unchanged");
  });

  test("in the first start: the archive is made again", async () => {
    const copy = path.join(folder, "first");
    await mkdir(path.join(copy, "objects"), { recursive: true });
    await cp(path.join(closed, "archive.db"), path.join(copy, "archive.db"));
    const store = await openArchiveStore({ dataFolder: copy, dataKey, readHeader });
    expect(store.health()).toMatchObject({ studies: 0 });
    await store.close();
    expect(await readdir(path.join(copy, "objects"))).toEqual([]);
  });
});

/** Where the records of a page record end, by their lengths. */
async function lastRecord(file: string): Promise<{ starts: number[]; end: number }> {
  const { readFile } = await import("node:fs/promises");
  const content = await readFile(file);
  const starts: number[] = [];
  let at = 0;
  while (at + 8 < content.length && content.toString("latin1", at, at + 4) === "MPG1") {
    starts.push(at);
    at += 8 + content.readUInt32LE(at + 4) + 32;
  }
  return { starts, end: at };
}

async function recordOfDatabase(copy: string): Promise<Buffer> {
  const { readFile } = await import("node:fs/promises");
  const file = path.join(copy, "archive.pages");
  const { starts } = await lastRecord(file);
  const content = await readFile(file);
  // Without the last record and what follows it.
  return Buffer.concat([content.subarray(0, starts.at(-1)), Buffer.alloc(4096)]);
}
