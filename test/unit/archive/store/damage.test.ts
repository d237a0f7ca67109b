import { cp, mkdir, open, readdir, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AppError } from "../../../../core/errors.ts";
import type { AnswerRecord } from "../../../../core/question.ts";
import type { StudyUid } from "../../../../core/study.ts";
import { type ArchiveStore, openArchiveStore } from "../../../../archive/store/archive-store.ts";
import { addObject, dataKey, filesBelow, noise, temporaryFolder, testHeader } from "./test-archive.ts";

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
  let store = await openArchiveStore({ dataFolder: source, dataKey });
  await fill(store, [1, 2]);
  await store.close();
  store = await openArchiveStore({ dataFolder: source, dataKey });
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
      await addObject(store, testHeader({ study, series: 1 + (instance % 2), instance }), noise(3000));
    }
    const subject = { studyInstanceUid: `1.2.${study}` };
    const text = "No pleural effusion is seen. ".repeat(40);
    store.answers.save({
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
    all.push(study, store.answers.ofStudy(study.studyInstanceUid));
    for (const series of store.catalog.series(study.studyInstanceUid as StudyUid)) {
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

type Outcome = "unchanged" | "repaired" | "archive-damaged" | "OTHER DATA";

async function outcomeOf(from: string, harm: (copy: string) => Promise<void>): Promise<Outcome> {
  const copy = path.join(folder, "copy");
  await cp(from, copy, { recursive: true });
  await harm(copy);
  let store: ArchiveStore | null = null;
  try {
    store = await openArchiveStore({ dataFolder: copy, dataKey });
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
    ["the database of a closed archive", "closed", "archive.db", 40],
    ["the database of a killed process", "killed", "archive.db", 20],
    ["the log of a killed process", "killed", "archive.db-wal", 60],
    ["the record of the pages", "killed", "archive.pages", 30],
  ] as const)("in %s are unchanged, repaired or named", async (_, state, file, count) => {
    const outcomes = await flips({ from: state === "closed" ? closed : killed, files: only(file), count });
    expect(Object.values(outcomes).reduce((sum, n) => sum + n)).toBe(count);
    expect(Object.keys(outcomes)).not.toContain("OTHER DATA");
    if (file !== "archive.pages" && state === "closed")
      expect(outcomes["archive-damaged"]).toBeGreaterThan(0);
  });

  test("in objects are named", async () => {
    const files = async (copy: string) => filesBelow(path.join(copy, "objects"));
    expect(await flips({ from: closed, files, count: 50 })).toEqual({ "archive-damaged": 50 });
  });
});

describe("damage while the archive is open", () => {
  test("never gives other data or a study with slices missing", async () => {
    const next = sequence(7);
    const outcomes = new Set<Outcome>();
    for (let i = 0; i < 20; i += 1) {
      const copy = path.join(folder, "open");
      await cp(closed, copy, { recursive: true });
      const store = await openArchiveStore({ dataFolder: copy, dataKey });
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
      // The next start names what is on disk now.
      await expect(openArchiveStore({ dataFolder: copy, dataKey })).rejects.toMatchObject({
        code: "archive-damaged",
      });
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
  ] as const)("%s is named", async (_, state, file, size) => {
    const outcome = await outcomeOf(state === "closed" ? closed : killed, async (copy) => {
      const target = path.join(copy, file);
      await truncate(target, size((await stat(target)).size));
    });
    expect(outcome).toBe("archive-damaged");
  });

  test.each(["archive.db", "archive.pages"])("%s missing is named", async (file) => {
    expect(await outcomeOf(closed, (copy) => rm(path.join(copy, file)))).toBe("archive-damaged");
  });

  test("the log missing is named", async () => {
    expect(await outcomeOf(killed, (copy) => rm(path.join(copy, "archive.db-wal")))).toBe("archive-damaged");
  });

  test("an older database under a newer record is named", async () => {
    const outcome = await outcomeOf(closed, async (copy) => {
      await cp(path.join(killed, "archive.db"), path.join(copy, "archive.db"));
    });
    expect(outcome).toBe("archive-damaged");
  });

  test("two objects in each other's place are named", async () => {
    const outcome = await outcomeOf(closed, async (copy) => {
      const [first, second] = await filesBelow(path.join(copy, "objects"));
      await rename(first!, `${first}.x`);
      await rename(second!, first!);
      await rename(`${first}.x`, second!);
    });
    expect(outcome).toBe("archive-damaged");
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
    const store = await openArchiveStore({ dataFolder: copy, dataKey });
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
