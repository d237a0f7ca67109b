import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { encode } from "fast-png";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Client } from "../../core/client.ts";
import type { Answer, AnswerEvent } from "../../core/question.ts";
import type { View } from "../../core/view.ts";
import { type App, createApp } from "../../host/app.ts";
import { forkSpawn } from "../../host/children.ts";
import { appRoot, findFolders, type Folders } from "../../host/folders.ts";
import { headlessShell } from "../../host/headless-shell.ts";
import { knownAnswerQuestion } from "../fixtures/known-answer/known-answer-spec.ts";
import { writeKnownAnswerPack } from "../fixtures/known-answer/write-known-answer-pack.ts";
import { childPid, isAlive } from "./child-pid.ts";
import { doors, type OpenDoor } from "./doors.ts";

const root = appRoot(import.meta.url);
const pack = "known-answer";

/** The inference process as it is built, with a pack whose answer is known by construction. */
describe("an answer", () => {
  let folder: string;
  let folders: Folders;
  let app: App;
  let views: View[];

  beforeAll(async () => {
    if (!existsSync(path.join(root, "dist/models/process.js"))) throw new Error("Run first: npm run build");
    folder = await mkdtemp(path.join(os.tmpdir(), "meditron-contract-"));
    const packs = path.join(folder, "packs");
    await mkdir(packs);
    const patches = [{ x: 8, y: 8, width: 24, height: 24 }];
    await writeKnownAnswerPack(packs, "one-patch", { name: pack, patches, calibration: null });
    folders = findFolders({
      dataFolder: path.join(folder, "data"),
      env: { MEDITRON_CONFIG: path.join(folder, "config"), MEDITRON_PACK_FOLDERS: packs },
    });
    app = createApp({ folders, shell: headlessShell, spawn: forkSpawn, checkOutputs: true });
    const picture = path.join(folder, "bright.png");
    const data = new Uint8Array(64 * 64).fill(230);
    await writeFile(picture, encode({ width: 64, height: 64, data, channels: 1, depth: 8 }));
    const { signal } = new AbortController();
    const choice = await app.router.call("answers.views", { target: { path: picture }, pack }, signal);
    ({ views } = choice as { views: View[] });
  });
  afterAll(async () => {
    await app.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const ask = (
    client: Client,
    options: { ground?: boolean; temperature?: number } = {},
    signal?: AbortSignal,
  ) =>
    client.stream(
      "answers.ask",
      { question: knownAnswerQuestion, views, pack, seed: 11, ground: false, ...options },
      signal,
    );

  it("is the same for the same seed through every door", async () => {
    const answers = new Map<string, string>();
    for (const [name, openDoor] of Object.entries(doors)) {
      const door = await openDoor(app, folders.data);
      const { answer } = await done(ask(door.client, { temperature: 1.5 }));
      answers.set(name, answer.text);
      await door.close();
    }
    expect(answers.size).toBe(5);
    expect(new Set(answers.values()).size).toBe(1);
    expect([...answers.values()][0]).toMatch(/mark/);
  });

  it("can come from a pack that was added, until that is removed", async () => {
    const { signal } = new AbortController();
    const names = async () =>
      ((await app.router.call("models.list", {}, signal)) as { name: string }[]).map(({ name }) => name);
    const before = await names();
    const patches = [{ x: 0, y: 0, width: 8, height: 8 }];
    const added = path.join(folders.data, "packs");
    await writeKnownAnswerPack(added, "one-patch", { name: "added", patches, calibration: null });
    expect(await names()).toEqual(expect.arrayContaining([...before, "added"]));
    await app.router.call("models.remove", { name: "added" }, signal);
    expect(await names()).toEqual(before);
    for (const name of ["added", pack]) {
      await expect(app.router.call("models.remove", { name }, signal)).rejects.toMatchObject({
        code: "pack-not-found",
      });
    }
    await expect(app.router.call("models.remove", { name: "../packs" }, signal)).rejects.toMatchObject({
      code: "bad-request",
    });
  });

  describe("over the loopback host", () => {
    let open: OpenDoor;
    beforeAll(async () => {
      open = await doors["loopback"]!(app, folders.data);
    });
    afterAll(() => open.close());

    it("comes as events in their order, with its evidence", async () => {
      const types: string[] = [];
      for await (const { type } of ask(open.client, { ground: true }))
        if (type !== "progress") types.push(type);
      const order = ["accepted", "token", "sentence", "evidence", "done"];
      expect([...new Set(types)]).toEqual(order);
    });

    it("ends when it is cancelled, and the next question works", async () => {
      const controller = new AbortController();
      const reading = (async () => {
        for await (const { type } of ask(open.client, { ground: true }, controller.signal)) {
          if (type === "token") controller.abort();
        }
      })();
      await expect(reading).rejects.toMatchObject({ code: "cancelled" });
      expect((await done(ask(open.client))).answer.stop).toBe("end");
    });

    it("ends with process-lost when its process is killed, and the next question works", async () => {
      const pid = await childPid(path.join("dist", "models", "process.js"));
      const reading = (async () => {
        for await (const { type } of ask(open.client, { ground: true })) {
          if (type === "accepted") process.kill(pid, "SIGKILL");
        }
      })();
      await expect(reading).rejects.toMatchObject({ code: "process-lost" });
      await expect.poll(() => isAlive(pid)).toBe(false);
      expect((await done(ask(open.client))).answer.text).toMatch(/mark/);
    });
  });
});

async function done(events: AsyncGenerator<AnswerEvent, void, void>): Promise<Answer> {
  let answer: Answer | null = null;
  for await (const event of events) if (event.type === "done") ({ answer } = event);
  if (!answer) throw new Error("the answer did not end");
  return answer;
}
