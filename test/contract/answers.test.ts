import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { decode } from "fast-png";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Client } from "../../core/client.ts";
import { decodeFrame } from "../../core/frame-codec.ts";
import type { AnswerEvent } from "../../core/question.ts";
import type { InstanceUid, StudyUid } from "../../core/study.ts";
import type { View } from "../../core/view.ts";
import { type App, createApp } from "../../host/app.ts";
import { forkSpawn, type Spawn } from "../../host/children.ts";
import { runCli } from "../../host/cli/run-cli.ts";
import { createDirectClient } from "../../host/direct-client.ts";
import { findFolders, type Folders } from "../../host/folders.ts";
import { headlessShell } from "../../host/headless-shell.ts";
import { element, file, imageElements } from "../fixtures/dicom/build-dicom.ts";
import { bundleChild } from "./fixture-app.ts";

const slices = 5;
const explicitLittleEndian = "1.2.840.10008.1.2.1";

/** A slice of 2 by 2 pixels whose values name it. */
function slice(index: number, patient = 1): Uint8Array {
  const shape = { rows: 2, columns: 2 };
  const uid = `1.2.${patient}.1.1.${index + 1}`;
  const more = [
    element(0x00080018, "UI", uid),
    element(0x0020000d, "UI", `1.2.${patient}`),
    element(0x0020000e, "UI", `1.2.${patient}.1`),
    element(0x00100020, "LO", `P${patient}`),
    element(0x00080060, "CS", "CT"),
    element(0x00200013, "IS", String(index + 1)),
    element(0x00281050, "DS", "100"),
    element(0x00281051, "DS", "200"),
    element(0x7fe00010, "OB", Uint8Array.of(index, 50, 100, 200)),
  ];
  return file(imageElements(shape, more), explicitLittleEndian);
}

/** Questions through the host: the built archive process, and an inference process that does what it is told. */
describe("a question", () => {
  let folder: string;
  let series: string;
  let folders: Folders;
  let spawn: Spawn;
  let app: App;
  let client: Client;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), "meditron-contract-"));
    series = path.join(folder, "series");
    await mkdir(series);
    for (let index = 0; index < slices; index++) {
      await writeFile(path.join(series, `${index}.dcm`), slice(index));
    }
    await writeFile(path.join(folder, "other.dcm"), slice(0, 2));
    const script = path.join(folder, "model", "process.mjs");
    await bundleChild("scripted-model.ts", script);
    spawn = (wanted, log) => forkSpawn(wanted.includes("models") ? script : wanted, log);
    folders = findFolders({
      dataFolder: path.join(folder, "data"),
      env: { MEDITRON_CONFIG: path.join(folder, "config") },
    });
    app = createApp({ folders, shell: headlessShell, spawn, checkOutputs: true });
    client = createDirectClient(app.router);
    await client.call("archive.create", { protection: "key-file" });
    await collect(client.stream("imports.paths", { paths: [series, path.join(folder, "other.dcm")] }));
  });
  afterAll(async () => {
    await app.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const study = { studyInstanceUid: "1.2.1" as StudyUid };
  const viewOf = async (uid: string, frame: number | null = 1): Promise<View[]> =>
    (await client.call("answers.views", { target: { uid }, frame })).views;
  const ask = (question: string, views: View[], signal?: AbortSignal) =>
    client.stream("answers.ask", { question, views }, signal);
  const saved = () => client.call("answers.list", study);

  it("sends the pixels of the archive with a settled window, and saves the answer bound to its image", async () => {
    const events = await collect(ask("three", await viewOf("1.2.1.1", 2)));
    expect(events.map(({ type }) => type)).toEqual([
      "progress",
      "accepted",
      "token",
      "sentence",
      "evidence",
      "done",
    ]);
    const { answer } = events.at(-1) as Extract<AnswerEvent, { type: "done" }>;
    expect(answer.warnings).toEqual(["unseen 4", "values 1 50 100 200"]);
    expect(answer.views[0]!.voi).toEqual({ kind: "window", center: 100, width: 200, function: "LINEAR" });
    const stored = await client.bytes("frames.pixels", {
      sopInstanceUid: "1.2.1.1.1.2" as InstanceUid,
      frame: 1,
    });
    expect(`values ${[...decodeFrame(stored).values].join(" ")}`).toBe(answer.warnings[1]);

    const accepted = events[1] as Extract<AnswerEvent, { type: "accepted" }>;
    const record = await client.call("answers.read", { id: accepted.id });
    expect(record.answer).toEqual(answer);
    expect(record.subject).toMatchObject({ patientId: "P1", sopInstanceUid: "1.2.1.1.1.2" });
    expect(await saved()).toHaveLength(1);
  });

  it("about a series sends as many slices as the pack takes, evenly spaced", async () => {
    const { views, slices: all } = await client.call("answers.views", { target: { uid: "1.2.1.1" } });
    expect(all).toBe(slices);
    expect(views.map(({ source }) => (source as { instance: string }).instance)).toEqual([
      "1.2.1.1.1.1",
      "1.2.1.1.1.3",
      "1.2.1.1.1.5",
    ]);
    const done = (await collect(ask("three", views))).at(-1) as Extract<AnswerEvent, { type: "done" }>;
    expect(done.answer.warnings[0]).toBe("unseen 2");
  });

  it("about a file answers alike and saves nothing", async () => {
    const before = await saved();
    const target = { path: path.join(series, "1.dcm") };
    const { views } = await client.call("answers.views", { target });
    const done = (await collect(ask("three", views))).at(-1) as Extract<AnswerEvent, { type: "done" }>;
    expect(done.answer.warnings).toEqual(["unseen 0", "values 1 50 100 200"]);
    expect(await saved()).toEqual(before);
  });

  it("about a file that has changed since is refused", async () => {
    const changing = path.join(folder, "changing.dcm");
    await writeFile(changing, slice(0));
    const { views } = await client.call("answers.views", { target: { path: changing } });
    await writeFile(changing, slice(3));
    await expect(collect(ask("three", views))).rejects.toMatchObject({ code: "bad-input" });
  });

  it("that is stopped after it said something keeps what it said, marked as stopped", async () => {
    const before = (await saved()).length;
    const controller = new AbortController();
    const reading = (async () => {
      for await (const { type } of ask("slow", await viewOf("1.2.1.1.1.1"), controller.signal)) {
        if (type === "sentence") controller.abort();
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: "cancelled" });
    await expect.poll(async () => (await saved()).length, { timeout: 10_000 }).toBe(before + 1);
    const record = (await saved()).find(({ input }) => input.question === "slow")!;
    expect(record.answer.answer).toMatchObject({ text: "Yes. ", stop: "cancelled" });
    expect(record.answer.answer.sentences[0]!.state).toBe("untested");
    expect(record.answer.pack.name).toBe("scripted");
  });

  it("whose process dies ends with process-lost, keeps nothing, and the next one is answered", async () => {
    const before = await saved();
    await expect(collect(ask("die", await viewOf("1.2.1.1.1.1")))).rejects.toMatchObject({
      code: "process-lost",
    });
    expect(await saved()).toEqual(before);
    expect((await collect(ask("three", await viewOf("1.2.1.1.1.1")))).at(-1)).toMatchObject({ type: "done" });
  });

  it("gets its evidence later, in the same record", async () => {
    const [record] = await saved();
    const events = await collect(client.stream("answers.ground", { id: record!.id }));
    expect(events.map(({ type }) => type)).toEqual(["progress", "evidence", "done"]);
    const again = await client.call("answers.read", { id: record!.id });
    expect(again.answer.answer.sentences[0]!.state).toBe("diffuse");
    expect(again).toMatchObject({ id: record!.id, askedAt: record!.askedAt, subject: record!.subject });
  });

  it("takes the pack of the settings where it names none", async () => {
    await client.call("settings.write", { pack: "from-settings" });
    const done = (await collect(ask("three", await viewOf("1.2.1.1.1.1")))).at(-1);
    expect(done).toMatchObject({ answer: { pack: { name: "from-settings" } } });
    await client.call("settings.write", { pack: null });
  });

  it("about two patients, a wrong study, a crop outside or a missing frame is refused", async () => {
    const [one] = await viewOf("1.2.1.1.1.1");
    const [other] = await viewOf("1.2.2.1.1.1");
    const wrongStudy = { ...one!, source: { ...one!.source, study: "1.2.2" as StudyUid } };
    const outside = { ...one!, crop: { x: 1, y: 1, width: 2, height: 1 } };
    for (const views of [[one!, other!], [wrongStudy], [outside]]) {
      await expect(collect(ask("three", views))).rejects.toMatchObject({ code: "bad-input" });
    }
    await expect(collect(ask("three", [{ ...one!, frame: 2 }]))).rejects.toMatchObject({
      code: "frame-not-found",
    });
  });

  it("can be looked at as the model saw it", async () => {
    const [view] = await viewOf("1.2.1.1.1.1");
    const png = decode(await client.bytes("answers.modelInput", { pack: "scripted", view: view! }));
    expect([...png.data]).toEqual([2, 255]);
  });

  it("is deleted when asked to", async () => {
    const [record] = await saved();
    await client.call("answers.delete", { id: record!.id });
    await expect(client.call("answers.read", { id: record!.id })).rejects.toMatchObject({
      code: "answer-not-found",
    });
  });

  describe("on the command line", () => {
    async function cli(...args: string[]) {
      const [stdout, stderr] = [new PassThrough(), new PassThrough()];
      const out = text(stdout);
      const err = text(stderr);
      const env = { MEDITRON_DATA: folders.data, MEDITRON_CONFIG: path.join(folder, "config") };
      const { signal } = new AbortController();
      const exit = await runCli([...args, "--json"], { streams: { stdout, stderr }, env, spawn, signal });
      stdout.end();
      stderr.end();
      return { exit, json: JSON.parse(await out) as Record<string, unknown>, err: await err };
    }

    it("prints the public form and streams the words to stderr", async () => {
      const place = path.join(series, "2.dcm");
      const { exit, json, err } = await cli(
        "ask",
        place,
        "--question",
        "three",
        "--crop",
        "0,0,2,1",
        "--window",
        "50,80",
      );
      expect(exit).toBe(0);
      expect(json).toMatchObject({
        question: "three",
        views: [
          {
            source: { file: place },
            frame: 1,
            voi: { kind: "window", center: 50, width: 80, function: "LINEAR" },
            crop: [0, 0, 2, 1],
          },
        ],
        warnings: ["unseen 0", "values 2 50 100 200"],
      });
      expect(err).toContain("Yes. ");
    });

    it("asks about a folder as one series, and about a UID through the app that is open", async () => {
      const byFolder = await cli("ask", series, "--question", "three");
      expect(byFolder.json).toMatchObject({
        warnings: ["unseen 2", expect.anything(), expect.anything(), expect.anything()],
      });
      await app.takeFolder();
      const byUid = await cli("ask", "1.2.1.1.1.4", "--question", "three");
      expect(byUid).toMatchObject({ exit: 0, json: { warnings: ["unseen 4", "values 3 50 100 200"] } });
    });

    it("exports what was answered", async () => {
      const { json } = await cli("export", "1.2.1");
      expect((json["answers"] as unknown[]).length).toBe((await saved()).length);
    });

    it("names two series in one folder", async () => {
      await writeFile(path.join(series, "foreign.dcm"), slice(0, 2));
      const { exit, json } = await cli("ask", series, "--question", "three");
      expect(exit).toBe(3);
      expect(json).toMatchObject({ error: { code: "ambiguous-series" } });
    });
  });
});

async function collect<Event>(events: AsyncIterable<Event>): Promise<Event[]> {
  const all: Event[] = [];
  for await (const event of events) all.push(event);
  return all;
}

async function text(stream: PassThrough): Promise<string> {
  let all = "";
  for await (const chunk of stream) all += String(chunk);
  return all;
}
