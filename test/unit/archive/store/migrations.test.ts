import { cp, readdir } from "node:fs/promises";
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SeriesUid, StudyUid } from "../../../../core/study.ts";
import { type ArchiveStore, openArchiveStore } from "../../../../archive/store/archive-store.ts";
import { openDatabase } from "../../../../archive/store/database.ts";
import { deriveKeys } from "../../../../archive/store/derived-keys.ts";
import { type Migration, migrations } from "../../../../archive/store/migrations/all.ts";
import {
  fixtureAnswer,
  fixtureFiles,
  fixtureFolder,
  fixtureKey,
  fixtureThumbnail,
} from "../../../fixtures/archive/fixture-content.ts";
import { killedWhile } from "./killed-migration.ts";
import { readHeader, temporaryFolder } from "./test-archive.ts";

let folder: string;
let remove: () => Promise<void>;

beforeEach(async () => {
  ({ folder, remove } = await temporaryFolder());
});
afterEach(() => remove());

/** Every version that an installed app may have left behind. */
const older = migrations.map((_, index) => index).slice(1);

async function copyOf(version: number): Promise<string> {
  const copy = path.join(folder, `version-${version}`);
  await cp(fileURLToPath(fixtureFolder(version)), copy, { recursive: true });
  return copy;
}

async function opened<T>(dataFolder: string, use: (store: ArchiveStore) => Promise<T>): Promise<T> {
  const store = await openArchiveStore({ dataFolder, dataKey: fixtureKey, readHeader });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

async function expectAll(store: ArchiveStore): Promise<void> {
  expect(store.health()).toMatchObject({ studies: 2, instances: 3, schemaVersion: migrations.length });
  expect(store.health().repairs).toEqual([]);
  const found: Buffer[] = [];
  for (const { studyInstanceUid } of store.catalog.studies("fixture lucja")) {
    for (const { instances } of store.catalog.series(studyInstanceUid)) {
      for (const { sopInstanceUid } of instances) {
        const source = await store.objects.open(store.catalog.instance(sopInstanceUid).object);
        found.push(Buffer.from(await source.read(0, source.size)));
      }
    }
  }
  const expected = fixtureFiles.map((content) => content.toString("hex"));
  expect(found.map((content) => content.toString("hex")).toSorted()).toEqual(expected.toSorted());
  expect(store.answers.ofStudy("1.2.1" as StudyUid)).toEqual([fixtureAnswer]);
  const thumbnail = await store.objects.open(store.changes.thumbnail("1.2.1.1" as SeriesUid)!);
  expect(Buffer.from(await thumbnail.read(0, 100)).equals(fixtureThumbnail)).toBe(true);
}

describe("migrations", () => {
  test("are at least two, and each has an archive of the version before it", () => {
    expect(migrations.length).toBeGreaterThanOrEqual(2);
    const missing = older.filter((version) => !existsSync(new URL("archive.db", fixtureFolder(version))));
    expect(missing).toEqual([]);
  });

  test.each(older)(
    "take an archive of version %i to the present one, with all that is in it",
    async (from) => {
      const copy = await copyOf(from);
      await opened(copy, expectAll);
      // What came later works on it too.
      await opened(copy, async (store) => {
        expect(store.variants.ofStudy("1.2.1" as StudyUid)).toEqual([]);
        expect(store.journal.unfinished()).toEqual([]);
        await store.changes.deleteStudy("1.2.1" as StudyUid);
        expect(store.health()).toMatchObject({ studies: 1, instances: 1 });
      });
    },
  );

  test("are run once: the next start finds the present version", async () => {
    const copy = await copyOf(1);
    await opened(copy, expectAll);
    const keys = deriveKeys(fixtureKey);
    const never: Migration = () => expect.unreachable("run a second time");
    const database = openDatabase({
      folder: copy,
      databaseKey: keys.database,
      pagesKey: keys.pages,
      mayBeUnfinished: false,
      migrations: migrations.map(() => never),
    });
    expect(database.schemaVersion).toBe(migrations.length);
    database.close();
  });

  test("leave an archive of a newer version alone", async () => {
    const copy = await copyOf(1);
    const newer = [...migrations, (() => undefined) as Migration];
    const options = { dataFolder: copy, dataKey: fixtureKey, readHeader };
    await (await openArchiveStore({ ...options, migrations: newer })).close();
    const before = await readdir(copy);
    await expect(openArchiveStore(options)).rejects.toMatchObject({ code: "archive-too-new" });
    expect(await readdir(copy)).toEqual(before);
    const again = await openArchiveStore({ ...options, migrations: newer });
    expect(again.health().instances).toBe(3);
    await again.close();
  });

  test("that fail leave the version before, with all that is in it", async () => {
    const copy = await copyOf(1);
    const failing: Migration = (database) => {
      migrations[1]!(database);
      throw new Error("in the middle");
    };
    await expect(
      openArchiveStore({
        dataFolder: copy,
        dataKey: fixtureKey,
        readHeader,
        migrations: [migrations[0]!, failing],
      }),
    ).rejects.toThrow("in the middle");
    await opened(copy, expectAll);
  });
});

describe("a process that is killed while it migrates", () => {
  test("at each statement leaves an archive that the next start takes to the present version", async () => {
    const versions: number[] = [];
    for (let statement = 1; ; statement += 1) {
      const copy = await copyOf(1);
      const { finished } = await killedWhile({ folder: copy, statement });
      if (finished) break;
      versions.push(statement);
      await opened(copy, expectAll);
    }
    // Three statements and the version of the second, one and the version of the third.
    expect(versions.length).toBeGreaterThanOrEqual(6);
  }, 300_000);
});
