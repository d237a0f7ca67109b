import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Client } from "../../core/client.ts";
import { type App, createApp } from "../../host/app.ts";
import { forkSpawn } from "../../host/children.ts";
import { runCli } from "../../host/cli/run-cli.ts";
import { createDirectClient } from "../../host/direct-client.ts";
import { appRoot, findFolders } from "../../host/folders.ts";
import { headlessShell } from "../../host/headless-shell.ts";
import { makeDicom } from "../unit/archive/import/make-dicom.ts";

/** Check, backup, restore and conflicts, as the app and the command line have them. */

let root: string;
const apps: App[] = [];

beforeEach(async () => {
  if (!existsSync(path.join(appRoot(import.meta.url), "dist/archive/process.js"))) {
    throw new Error("Run first: npm run build");
  }
  root = await mkdtemp(path.join(os.tmpdir(), "meditron-backup-"));
});
afterEach(async () => {
  for (const app of apps.splice(0)) await app.stop();
  await rm(root, { recursive: true, force: true });
});

function start(name: string, config = "config"): Client {
  const env = { MEDITRON_CONFIG: path.join(root, config) };
  const folders = findFolders({ dataFolder: path.join(root, name), env });
  const app = createApp({ folders, shell: headlessShell, spawn: forkSpawn, checkOutputs: true });
  apps.push(app);
  return createDirectClient(app.router);
}

async function stopAll(): Promise<void> {
  for (const app of apps.splice(0)) await app.stop();
}

/** Takes the last event and asks for no more. */
async function untilDone<Event extends { type: string }>(events: AsyncIterable<Event>): Promise<Event> {
  for await (const event of events) if (event.type === "done") return event;
  throw new Error("no last event");
}

async function last<Event>(events: AsyncIterable<Event>): Promise<Event | undefined> {
  let latest: Event | undefined;
  for await (const event of events) latest = event;
  return latest;
}

async function importTwo(client: Client): Promise<void> {
  const input = path.join(root, "in");
  await mkdir(input, { recursive: true });
  const uids = { study: "1.1", series: "1.1.1", instance: "1.1.1.1" };
  await writeFile(path.join(input, "1"), makeDicom({ ...uids, value: 1 }));
  await writeFile(path.join(input, "2"), makeDicom({ ...uids, instance: "1.1.1.2", value: 2 }));
  await writeFile(path.join(input, "changed"), makeDicom({ ...uids, value: 3 }));
  expect(await last(client.stream("imports.paths", { paths: [input] }))).toMatchObject({
    imported: 2,
    conflicts: 1,
  });
}

const backup = () => path.join(root, "backup");

describe("a backup over the contract", () => {
  it("is made of an open archive and restored into another data folder, by key file or recovery key", async () => {
    const client = start("data");
    const { recoveryKey } = await client.call("archive.create", { protection: "key-file" });
    await importTwo(client);
    const study = { studyInstanceUid: "1.1" };
    const [variant] = await client.call("studies.variants", study);
    expect(variant).toMatchObject({ sopInstanceUid: "1.1.1.1", difference: { pixels: "different" } });
    expect((await client.bytes("variants.pixels", { id: variant!.id, frame: 1 })).length).toBeGreaterThan(
      128,
    );
    const header = await client.call("variants.header", { id: variant!.id });
    expect(header.map(({ keyword }) => keyword)).toContain("PatientName");

    expect(await last(client.stream("archive.check", {}))).toMatchObject({
      images: 2,
      variants: 1,
      problems: 0,
    });
    expect(await untilDone(client.stream("archive.backup", { folder: backup() }))).toMatchObject({
      images: 2,
      problems: 0,
    });
    expect((await readdir(backup())).toSorted()).toEqual(["archive", "keys.json"]);
    await expect(last(client.stream("archive.backup", { folder: backup() }))).rejects.toMatchObject({
      code: "bad-input",
    });
    const inside = path.join(root, "data", "backup");
    await expect(last(client.stream("archive.backup", { folder: inside }))).rejects.toMatchObject({
      code: "bad-input",
    });
    await expect(last(client.stream("archive.restore", { folder: backup() }))).rejects.toMatchObject({
      code: "bad-request",
    });
    const studies = await client.call("studies.list", {});
    await stopAll();

    // On this computer the key file opens it; on another one the recovery key does.
    for (const [name, config, key] of [
      ["same", "config", null],
      ["other", "elsewhere", recoveryKey],
    ] as const) {
      const restored = start(name, config);
      if (key !== null) {
        await expect(last(restored.stream("archive.restore", { folder: backup() }))).rejects.toMatchObject({
          code: "archive-locked",
        });
      }
      const request = { folder: backup(), recoveryKey: key };
      expect(await untilDone(restored.stream("archive.restore", request))).toMatchObject({ images: 2 });
      expect(await restored.call("studies.list", {})).toEqual(studies);
      expect(await restored.call("studies.variants", study)).toEqual([variant]);
      expect(await last(restored.stream("archive.check", {}))).toMatchObject({ problems: 0 });
      await stopAll();
    }
  }, 300_000);

  it("asks for the passphrase of what it holds, and names a wrong one", async () => {
    const client = start("data");
    const protection = { protection: "passphrase", passphrase: "correct horse battery" } as const;
    await client.call("archive.create", protection);
    await importTwo(client);
    await last(client.stream("archive.backup", { folder: backup() }));
    await stopAll();
    const restored = start("again");
    const attempt = (passphrase: string | null) =>
      last(restored.stream("archive.restore", { folder: backup(), passphrase }));
    await expect(attempt(null)).rejects.toMatchObject({ code: "archive-locked" });
    await expect(attempt("wrong horse battery")).rejects.toMatchObject({ code: "wrong-passphrase" });
    expect(await restored.call("archive.status", {})).toMatchObject({ state: "new" });
    expect(await attempt("correct horse battery")).toMatchObject({ type: "done", images: 2 });
    expect(await restored.call("archive.status", {})).toMatchObject({ state: "ready", instances: 2 });
  }, 300_000);

  it("names a folder that holds none, and one that was not finished", async () => {
    const client = start("data");
    await client.call("archive.create", { protection: "key-file" });
    await last(client.stream("archive.backup", { folder: backup() }));
    await stopAll();
    const restored = start("again");
    await mkdir(path.join(root, "nothing"));
    await expect(
      last(restored.stream("archive.restore", { folder: path.join(root, "nothing") })),
    ).rejects.toMatchObject({ code: "backup-damaged" });
    await cp(backup(), path.join(root, "half"), { recursive: true });
    await rm(path.join(root, "half", "archive", "backup.json"));
    await expect(
      last(restored.stream("archive.restore", { folder: path.join(root, "half") })),
    ).rejects.toMatchObject({ code: "backup-damaged" });
    expect(await restored.call("archive.status", {})).toMatchObject({ state: "new" });
  }, 300_000);
});

describe("a restore in the place of an archive", () => {
  async function backedUp(): Promise<{ client: Client; recoveryKey: string }> {
    const client = start("data");
    const { recoveryKey } = await client.call("archive.create", { protection: "key-file" });
    await importTwo(client);
    await untilDone(client.stream("archive.backup", { folder: backup() }));
    return { client, recoveryKey };
  }
  const aside = () => path.join(root, "data", "set-aside");

  it("says what the folder holds and what opens it, before anything happens", async () => {
    const { client } = await backedUp();
    const info = { studies: 1, images: 2, protection: "key-file" };
    expect(await client.call("archive.backupInfo", { folder: backup() })).toMatchObject({
      ...info,
      needs: "nothing",
    });
    await stopAll();
    const elsewhere = start("other", "elsewhere");
    expect(await elsewhere.call("archive.backupInfo", { folder: backup() })).toMatchObject({
      ...info,
      needs: "recovery-key",
    });
    for (const folder of [root, path.join(root, "nothing"), path.join(backup(), "archive")]) {
      await expect(elsewhere.call("archive.backupInfo", { folder })).rejects.toMatchObject({
        code: "backup-damaged",
      });
    }
    await expect(elsewhere.call("archive.backupInfo", { folder: "backup" })).rejects.toMatchObject({
      code: "bad-input",
    });
  }, 300_000);

  it("sets the archive aside, whole, and opens the backup", async () => {
    const { client } = await backedUp();
    const later = path.join(root, "in", "later");
    await writeFile(later, makeDicom({ study: "2.1", series: "2.1.1", instance: "2.1.1.1" }));
    await last(client.stream("imports.paths", { paths: [later] }));
    expect(await client.call("archive.status", {})).toMatchObject({ studies: 2 });
    const restore = { folder: backup(), setAside: true };
    expect(await untilDone(client.stream("archive.restore", restore))).toMatchObject({ images: 2 });
    expect(await client.call("archive.status", {})).toMatchObject({ state: "ready", studies: 1 });
    expect(await last(client.stream("archive.check", {}))).toMatchObject({ problems: 0, variants: 1 });
    await stopAll();
    // What was set aside is a data folder of its own.
    const [stamp] = await readdir(aside());
    const before = start(path.join("data", "set-aside", stamp!));
    expect(await before.call("archive.status", {})).toMatchObject({ state: "ready", studies: 2 });
    expect(await last(before.stream("archive.check", {}))).toMatchObject({ problems: 0 });
  }, 300_000);

  it("lists what was set aside, and deletes it with its keys, but not what is open elsewhere", async () => {
    const { client } = await backedUp();
    await untilDone(client.stream("archive.restore", { folder: backup(), setAside: true }));
    // Somebody else's, and no folder: neither is an archive that this app set aside.
    await mkdir(path.join(aside(), "notes"));
    await writeFile(path.join(aside(), "2026-01-31T08-30-00"), "");
    const [one, ...others] = await client.call("archive.setAside", {});
    expect(others).toEqual([]);
    expect(one!.bytes).toBeGreaterThan(10_000);
    const { name } = one!;
    const open = start(path.join("data", "set-aside", name));
    await open.call("studies.list", {});
    await expect(client.call("archive.deleteSetAside", { name })).rejects.toMatchObject({
      code: "archive-in-use",
    });
    expect(await last(open.stream("archive.check", {}))).toMatchObject({ images: 2, problems: 0 });
    await apps.pop()!.stop();

    await expect(client.call("archive.deleteSetAside", { name: "../archive" })).rejects.toMatchObject({
      code: "bad-request",
    });
    await client.call("archive.deleteSetAside", { name });
    expect(await client.call("archive.setAside", {})).toEqual([]);
    expect((await readdir(aside())).toSorted()).toEqual(["2026-01-31T08-30-00", "notes"]);
    await expect(client.call("archive.deleteSetAside", { name })).rejects.toMatchObject({
      code: "not-found",
    });
    expect(await client.call("archive.status", {})).toMatchObject({ state: "ready", studies: 1 });
  }, 300_000);

  it("changes nothing where the key is wrong, the backup damaged, or somebody cancels", async () => {
    const { client, recoveryKey } = await backedUp();
    const studies = await client.call("studies.list", {});
    const attempt = (more: object) =>
      last(client.stream("archive.restore", { folder: backup(), setAside: true, ...more }));
    await expect(attempt({ recoveryKey: `${recoveryKey.slice(0, -1)}?` })).rejects.toMatchObject({
      code: "bad-input",
    });
    expect(existsSync(aside())).toBe(false);

    const controller = new AbortController();
    const cancelled = async () => {
      const request = { folder: backup(), setAside: true };
      for await (const _ of client.stream("archive.restore", request, controller.signal)) controller.abort();
    };
    await expect(cancelled()).rejects.toMatchObject({ code: "cancelled" });
    // The archive comes back behind the answer to whoever cancelled.
    await expect
      .poll(() => client.call("archive.status", {}), { timeout: 30_000 })
      .toMatchObject({ studies: 1 });

    const [shelf] = await readdir(path.join(backup(), "archive", "objects"));
    await rm(path.join(backup(), "archive", "objects", shelf!), { recursive: true });
    await expect(attempt({})).rejects.toMatchObject({ code: "backup-damaged" });
    expect(await client.call("studies.list", {})).toEqual(studies);
    expect(await readdir(aside())).toEqual([]);
    expect(await last(client.stream("archive.check", {}))).toMatchObject({ images: 2, problems: 0 });

    expect(await attempt({ salvage: true })).toMatchObject({ type: "done" });
    expect(await readdir(aside())).toHaveLength(1);
  }, 300_000);
});

describe("the command line", () => {
  async function cli(args: readonly string[]) {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const printed = [textOf(stdout), textOf(stderr)] as const;
    const exit = await runCli([...args, "--json"], {
      streams: { stdout, stderr },
      env: { MEDITRON_DATA: path.join(root, "data"), MEDITRON_CONFIG: path.join(root, "config") },
      spawn: forkSpawn,
      signal: new AbortController().signal,
    });
    stdout.end();
    stderr.end();
    const lines = (await printed[0]).trim().split("\n");
    return { exit, json: lines.map((line) => JSON.parse(line) as unknown), err: await printed[1] };
  }

  it("checks, backs up and restores, with one object each and exit codes by outcome", async () => {
    const client = start("data");
    await client.call("archive.create", { protection: "key-file" });
    await importTwo(client);
    // The app is open: the command line asks it.
    const conflicts = await cli(["archive", "conflicts"]);
    expect(conflicts).toMatchObject({ exit: 0, json: [{ conflicts: [{ sopInstanceUid: "1.1.1.1" }] }] });
    const made = await cli(["archive", "backup", backup()]);
    expect(made).toMatchObject({ exit: 0, json: [{ images: 2, problems: [] }] });
    await stopAll();
    expect(await cli(["archive", "check"])).toMatchObject({ exit: 0, json: [{ images: 2, problems: [] }] });
    const [shelf] = await readdir(path.join(root, "data", "archive", "objects"));
    await rm(path.join(root, "data", "archive", "objects", shelf!), { recursive: true });
    const damaged = await cli(["archive", "check"]);
    expect(damaged.exit).toBe(70);
    const missing: unknown = expect.objectContaining({ kind: "file-missing", studyInstanceUid: "1.1" });
    expect(damaged.json).toMatchObject([
      { problems: expect.arrayContaining([missing]) as unknown },
      { error: { code: "archive-damaged" } },
    ]);
    expect(await cli(["archive", "restore", backup()])).toMatchObject({
      exit: 2,
      json: [{ error: { code: "bad-request" } }],
    });
    expect(await cli(["archive", "restore", backup(), "--set-aside"])).toMatchObject({
      exit: 0,
      json: [{ images: 2, problems: [] }],
    });
    expect(await cli(["archive", "check"])).toMatchObject({ exit: 0, json: [{ images: 2, problems: [] }] });
    const [name] = await readdir(path.join(root, "data", "set-aside"));
    expect(await cli(["archive", "set-aside"])).toMatchObject({ exit: 0, json: [{ archives: [{ name }] }] });
    expect(await cli(["archive", "set-aside", "--delete", name!])).toMatchObject({
      exit: 0,
      json: [{ deleted: name }],
    });
    expect(await readdir(path.join(root, "data", "set-aside"))).toEqual([]);
    // New keys over files of old ones would shut them for good.
    await rm(path.join(root, "data", "keys.json"));
    expect(await cli(["archive", "check"])).toMatchObject({
      exit: 70,
      json: [{ error: { code: "archive-locked" } }],
    });
    await rm(path.join(root, "data"), { recursive: true });
    expect(await cli(["archive", "restore", backup()])).toMatchObject({ exit: 0, json: [{ images: 2 }] });
    expect(await cli(["archive", "check"])).toMatchObject({ exit: 0, json: [{ images: 2, variants: 1 }] });
    expect(await cli(["archive", "backup"])).toMatchObject({ exit: 2, json: [{ error: { code: "usage" } }] });
    expect(await cli(["import", "--resume"])).toMatchObject({ exit: 0, json: [{ resumed: [] }] });
  }, 300_000);
});

async function textOf(stream: PassThrough): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return text;
}
