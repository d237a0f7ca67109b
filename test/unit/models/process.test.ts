import { type ChildProcess, fork } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Port } from "../../../core/port.ts";
import type { Answer } from "../../../core/question.ts";
import { connectApi } from "../../../core/rpc.ts";
import { type InferenceApi, inferenceKinds } from "../../../models/api.ts";
import { never } from "./tiny-model.ts";
import { tinyRequest } from "./tiny-pack.ts";
import { writeTinyPack } from "./tiny-pack-folder.ts";

const script = fileURLToPath(new URL("../../../dist/models/process.js", import.meta.url));

/** The inference process as the host runs it. */
function start(): { api: InferenceApi; child: ChildProcess } {
  const child = fork(script, [], { serialization: "advanced", stdio: ["ignore", "ignore", "ignore", "ipc"] });
  running.push(child);
  const port: Port = {
    post: (message) => void child.send(message as object, () => undefined),
    onMessage: (listener) => void child.on("message", listener),
    onExit: (listener) => void child.once("exit", () => listener("the process ended")),
    close: () => void child.kill(),
  };
  return { api: connectApi<InferenceApi>(port, inferenceKinds), child };
}

const running: ChildProcess[] = [];
let packFolder: string;

beforeAll(async () => {
  packFolder = await mkdtemp(path.join(tmpdir(), "meditron-packs-"));
  await writeTinyPack(path.join(packFolder, "tiny-one"));
  await writeTinyPack(path.join(packFolder, "tiny-two"));
});
afterAll(() => rm(packFolder, { recursive: true }));
afterEach(() => {
  for (const child of running.splice(0)) child.kill("SIGKILL");
});

async function started(): Promise<{ api: InferenceApi; child: ChildProcess }> {
  const process = start();
  await process.api.configure(
    { packFolders: [packFolder], provider: "cpu", threads: 2, stateFolder: null },
    never,
  );
  return process;
}

async function ask(api: InferenceApi, pack: string | null, seed = 0): Promise<Answer> {
  const request = tinyRequest({ pack, seed, temperature: 1 });
  for await (const event of api.answer(request, never)) if (event.type === "done") return event.answer;
  throw new Error("no answer");
}

async function load(api: InferenceApi, pack: string | null): Promise<string> {
  for await (const event of api.load({ pack }, never)) if (event.type === "done") return event.pack.name;
  throw new Error("not loaded");
}

describe("the inference process", () => {
  test("lists packs, loads one and answers; the answer names pack, version and digest", async () => {
    const { api } = await started();
    expect((await api.listPacks({}, never)).map(({ name }) => name)).toEqual(["tiny-one", "tiny-two"]);
    const answer = await ask(api, "tiny-two");
    expect(answer.pack).toMatchObject({
      name: "tiny-two",
      version: "1.0.0",
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(answer.provider).toBe("cpu");
    expect(answer.tokens.answer).toBe(24);
  });

  test("gives the same answer for the same seed in another process", async () => {
    const [first, second] = [await started(), await started()];
    const one = await ask(first.api, "tiny-one", 9);
    // What was asked before must not matter.
    await ask(second.api, "tiny-one", 3);
    expect((await ask(second.api, "tiny-one", 9)).answer.text).toBe(one.answer.text);
  });

  test("shares one loading between callers and changes packs while questions run", async () => {
    const { api } = await started();
    expect(await Promise.all([load(api, "tiny-one"), load(api, "tiny-one"), load(api, null)])).toEqual([
      "tiny-one",
      "tiny-one",
      "tiny-one",
    ]);
    const answers = await Promise.all(
      ["tiny-one", "tiny-two", "tiny-one", "tiny-two"].map((pack) => ask(api, pack)),
    );
    expect(answers.map(({ pack }) => pack.name)).toEqual(["tiny-one", "tiny-two", "tiny-one", "tiny-two"]);
    expect(new Set(answers.map(({ answer }) => answer.text)).size).toBe(1);
  });

  test("a question is lost with the process, and a new process answers it", async () => {
    const { api, child } = await started();
    const request = tinyRequest({ maxTokens: 300 });
    const asking = async () => {
      for await (const event of api.answer(request, never)) if (event.type === "token") child.kill("SIGKILL");
    };
    await expect(asking()).rejects.toMatchObject({ code: "process-lost" });
    expect((await ask((await started()).api, null)).answer.stop).toBe("length");
  });

  test("a pack that is not there, and one whose file has changed, have names; the process goes on", async () => {
    const { api } = await started();
    await expect(ask(api, "unknown")).rejects.toMatchObject({ code: "pack-not-found" });
    const folder = path.join(packFolder, "tiny-bad");
    await writeTinyPack(folder);
    const file = path.join(folder, "decoder.onnx");
    const bytes = await readFile(file);
    bytes[1000] = bytes[1000]! ^ 1;
    await writeFile(file, bytes);
    await expect(ask(api, "tiny-bad")).rejects.toMatchObject({ code: "pack-damaged" });
    await writeTinyPack(folder);
    expect((await ask(api, "tiny-bad")).answer.stop).toBe("length");
    await rm(folder, { recursive: true });
  });

  test("what the model saw is the exact model input", async () => {
    const { api } = await started();
    const { views } = tinyRequest();
    const input = await api.modelInput({ pack: "tiny-one", view: views[0]! }, never);
    expect(input).toMatchObject({ width: 64, height: 64, channels: 1 });
    // 60 by 80 fits as 48 by 64: padding left and right.
    expect([...input.pixels.subarray(0, 8)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect(Math.max(...input.pixels.subarray(8, 56))).toBeGreaterThan(0);
  });
});
