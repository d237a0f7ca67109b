import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { finished } from "node:stream/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { appError } from "../../../core/errors.ts";
import { logChildOutput } from "../../../host/child-output.ts";
import { createLog } from "../../../host/log.ts";
import { createSettingsStore, defaultSettings } from "../../../host/settings-store.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "meditron-unit-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("settings", () => {
  it("have defaults before anything was saved", async () => {
    expect(await createSettingsStore(folder).read()).toEqual(defaultSettings);
  });

  it("are found again by another process, and a change leaves the rest", async () => {
    await createSettingsStore(folder).write({ provider: "cpu" });
    await createSettingsStore(folder).write({ groundBudgetSeconds: 5 });
    expect(await createSettingsStore(folder).read()).toEqual({
      ...defaultSettings,
      provider: "cpu",
      groundBudgetSeconds: 5,
    });
  });

  it("lose no change of two made at once", async () => {
    const store = createSettingsStore(folder);
    await Promise.all([store.write({ provider: "cpu" }), store.write({ pack: "other" })]);
    expect(await store.read()).toMatchObject({ provider: "cpu", pack: "other" });
  });

  it.each(["", "{", "[]", '{"provider":7}'])(
    "fall back to defaults where the file holds %j",
    async (text) => {
      await writeFile(path.join(folder, "settings.json"), text);
      expect(await createSettingsStore(folder).read()).toEqual(defaultSettings);
    },
  );

  it("name the failure where the folder cannot be written", async () => {
    await writeFile(path.join(folder, "file"), "");
    const store = createSettingsStore(path.join(folder, "file", "below"));
    await expect(store.write({ provider: "cpu" })).rejects.toMatchObject({ code: "read-only" });
  });
});

describe("the log", () => {
  const read = () => readFile(path.join(folder, "app.log"), "utf8");

  it("keeps where and what, and of a cause its kind and place but not its words", async () => {
    const cause = Object.assign(new Error("DOE^JANE in /images/DOE_JANE.dcm"), { code: "ENOENT" });
    createLog(folder).write({ where: "studies.list", what: "internal", cause });
    const [line] = (await read()).trim().split("\n");
    const entry = JSON.parse(line!) as { where: string; code: string; stack: string[] };
    expect(entry).toMatchObject({ where: "studies.list", what: "internal", error: "Error", code: "ENOENT" });
    expect(entry.stack[0]).toContain("settings-and-log.test.ts");
    expect(line).not.toMatch(/DOE/);
  });

  it("keeps the cause of a cause as sparingly", async () => {
    const cause = appError("read-only", "no", new TypeError("/images/DOE.dcm"));
    createLog(folder).write({ where: "x", what: "y", cause });
    expect(JSON.parse((await read()).trim())).toMatchObject({ cause: { error: "TypeError" } });
    expect(await read()).not.toContain("DOE");
  });

  it("starts a new file when the old one is full, and keeps one old file", async () => {
    const log = createLog(folder);
    for (let i = 0; i < 40; i++) log.write({ where: "x".repeat(60_000), what: String(i) });
    const sizes = await Promise.all(
      ["app.log", "app.1.log"].map(async (name) => (await stat(path.join(folder, name))).size),
    );
    for (const size of sizes) expect(size).toBeLessThan(1.2 * 1024 * 1024);
    expect(await read()).toContain('"what":"39"');
  });

  it("never stops the app where it cannot be written", async () => {
    await writeFile(path.join(folder, "file"), "");
    const log = createLog(path.join(folder, "file"));
    expect(() => log.write({ where: "x", what: "y" })).not.toThrow();
  });
});

describe("what a child process prints", () => {
  it("is logged as failures and stack frames, and counted where it may quote a file", async () => {
    const entries: { where: string; what: string }[] = [];
    const output = new PassThrough();
    logChildOutput(output, "archive", { write: (entry) => void entries.push(entry) });
    output.write("importPaths failed: Error ENOE");
    output.write("NT\n    at open (/app/dist/archive/process.js:10:2)\nDOE^JANE is damaged\n");
    output.write("readFrame failed: AppError archive-damaged\n");
    output.end("readFrame failed: DOE^JANE x y\n");
    await finished(output.resume());
    expect(entries).toEqual([
      { where: "archive", what: "importPaths failed: Error ENOENT" },
      { where: "archive", what: "at open (dist/archive/process.js:10:2)" },
      { where: "archive", what: "1 other lines" },
      { where: "archive", what: "readFrame failed: AppError archive-damaged" },
      { where: "archive", what: "1 other lines" },
    ]);
  });
});
