import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Client } from "../../core/client.ts";
import { decodeFrame } from "../../core/frame-codec.ts";
import type { Series } from "../../core/study.ts";
import { type App, createApp } from "../../host/app.ts";
import { forkSpawn } from "../../host/children.ts";
import { appRoot, findFolders, type Folders } from "../../host/folders.ts";
import { headlessShell } from "../../host/headless-shell.ts";
import { childPid, isAlive } from "./child-pid.ts";
import { doors, type OpenDoor } from "./doors.ts";

const root = appRoot(import.meta.url);
const archiveScript = path.join("dist", "archive", "process.js");
/** Milliseconds: the phantoms are computed pixel by pixel. */
const drawing = 300_000;

/** The archive process as it is built, behind the loopback host, as a browser meets it. */
describe("the archive over the loopback host", () => {
  let folder: string;
  let folders: Folders;
  let app: App;
  let open: OpenDoor;
  let client: Client;

  async function start(): Promise<void> {
    app = createApp({ folders, shell: headlessShell, spawn: forkSpawn, checkOutputs: true });
    open = await doors["loopback"]!(app, folders.data);
    ({ client } = open);
  }
  async function stop(): Promise<void> {
    await open.close();
    await app.stop();
  }

  beforeAll(async () => {
    if (!existsSync(path.join(root, "dist/archive/process.js"))) throw new Error("Run first: npm run build");
    folder = await mkdtemp(path.join(os.tmpdir(), "meditron-contract-"));
    folders = findFolders({
      dataFolder: path.join(folder, "data"),
      env: { MEDITRON_CONFIG: path.join(folder, "config") },
    });
    await start();
  });
  afterAll(async () => {
    await stop();
    await rm(folder, { recursive: true, force: true });
  });

  it("is new, and then made, with a recovery key that is shown once", async () => {
    expect(await client.call("archive.status", {})).toMatchObject({ state: "new" });
    await expect(client.call("studies.list", {})).rejects.toMatchObject({ code: "archive-locked" });
    const { recoveryKey } = await client.call("archive.create", { protection: "key-file" });
    expect(recoveryKey.length).toBeGreaterThan(20);
    expect(await client.call("archive.status", {})).toMatchObject({ state: "ready", studies: 0 });
    await expect(client.call("archive.create", { protection: "key-file" })).rejects.toMatchObject({
      code: "bad-request",
    });
    const files = await Promise.all(
      (await readdir(folder, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile())
        .map((entry) => readFile(path.join(entry.parentPath, entry.name), "latin1")),
    );
    expect(files.some((text) => text.includes(recoveryKey))).toBe(false);
  });

  it("imports an upload, and nothing of one that was discarded", { timeout: drawing }, async () => {
    const { files } = await client.call("files.sample", { folder: path.join(folder, "sample") });
    const before = await client.call("archive.status", {});
    const send = async (upload: string, file: string) =>
      client.upload("imports.upload", {
        input: { upload, name: path.basename(file) },
        body: new Uint8Array(await readFile(file)),
      });
    await send("discarded", files[0]!);
    await client.call("imports.discard", { upload: "discarded" });
    expect(await client.call("archive.status", {})).toEqual(before);
    for (const file of files.slice(0, 3)) await send("kept", file);
    const done = await last(client.stream("imports.finish", { upload: "kept" }));
    expect(done).toMatchObject({ type: "done", imported: 3, failed: 0 });
  });

  it("takes the sample study, whose first files it knows already", { timeout: drawing }, async () => {
    const done = await last(client.stream("imports.sample", {}));
    expect(done).toMatchObject({ type: "done", duplicates: 3, conflicts: 0, failed: 0, ignored: 0 });
    expect((done as { imported: number }).imported).toBeGreaterThan(60);
  });

  it("gives each frame, its picture and its header", async () => {
    const all = await series();
    expect(all.length).toBeGreaterThanOrEqual(2);
    for (const one of all) {
      const [instance] = one.instances;
      const frame = decodeFrame(
        await client.bytes("frames.pixels", { sopInstanceUid: instance!.sopInstanceUid, frame: 1 }),
      );
      expect([frame.rows, frame.columns]).toEqual([instance!.rows, instance!.columns]);
      expect(new Set(frame.values).size).toBeGreaterThan(10);
      const { seriesInstanceUid } = one;
      const picture = await client.bytes("series.thumbnail", { seriesInstanceUid });
      expect(Buffer.from(picture.subarray(1, 4)).toString()).toBe("PNG");
      const summary = await client.call("frames.summary", {
        sopInstanceUid: instance!.sopInstanceUid,
        frame: 1,
      });
      expect(summary).toMatchObject({ seriesInstanceUid, phantom: true });
      const header = await client.call("frames.header", { sopInstanceUid: instance!.sopInstanceUid });
      expect(header.map(({ keyword }) => keyword)).toContain("SOPInstanceUID");
    }
  });

  it("chooses views of a series evenly, and refuses a study with several", async () => {
    const all = await series();
    const ct = all.find(({ modality }) => modality === "CT")!;
    const target = { uid: ct.seriesInstanceUid };
    expect(await client.call("answers.views", { target, frame: 7 })).toMatchObject({
      slices: ct.instances.length,
      views: [{ source: { instance: ct.instances[6]!.sopInstanceUid }, frame: 1 }],
    });
    await expect(client.call("answers.views", { target, frame: 9_999 })).rejects.toMatchObject({
      code: "frame-not-found",
    });
    const severalSeries = all.filter(({ studyInstanceUid }) => studyInstanceUid === ct.studyInstanceUid);
    if (severalSeries.length > 1) {
      const study = { uid: ct.studyInstanceUid };
      await expect(client.call("answers.views", { target: study })).rejects.toMatchObject({
        code: "ambiguous-series",
      });
    }
    await expect(client.call("answers.views", { target: { uid: "1.2.3.4" } })).rejects.toMatchObject({
      code: expect.stringMatching(/not-found$/) as string,
    });
  });

  it("goes on after its process was killed, and after a restart of the app", async () => {
    const before = await client.call("studies.list", {});
    const pid = await childPid(archiveScript);
    process.kill(pid, "SIGKILL");
    await expect.poll(() => isAlive(pid)).toBe(false);
    expect(await client.call("studies.list", {})).toEqual(before);
    expect(await childPid(archiveScript)).not.toBe(pid);
    await stop();
    await start();
    expect(await client.call("studies.list", {})).toEqual(before);
  });

  it("keeps no pixel and no name in the clear", async () => {
    const [study] = await client.call("studies.list", {});
    const names = [study!.patientName, study!.patientId, study!.studyInstanceUid].filter(
      (text) => text !== "",
    );
    const entries = await readdir(folders.data, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    expect(files.length).toBeGreaterThan(2);
    for (const entry of files) {
      const content = await readFile(path.join(entry.parentPath, entry.name));
      for (const name of [...names, "DICM"]) {
        expect(`${entry.name}: ${content.includes(name)}`).toBe(`${entry.name}: false`);
      }
    }
  });

  it("has one owner: another app on the same data ends with archive-in-use", async () => {
    const other = createApp({ folders, shell: headlessShell, spawn: forkSpawn });
    try {
      await expect(other.router.call("studies.list", {}, new AbortController().signal)).rejects.toMatchObject(
        {
          code: "archive-in-use",
        },
      );
    } finally {
      await other.stop();
    }
  });

  async function series(): Promise<Series[]> {
    const studies = await client.call("studies.list", {});
    const all = studies.map(({ studyInstanceUid }) => client.call("studies.series", { studyInstanceUid }));
    return (await Promise.all(all)).flat();
  }
});

async function last<Event>(events: AsyncIterable<Event>): Promise<Event | undefined> {
  let latest: Event | undefined;
  for await (const event of events) latest = event;
  return latest;
}
