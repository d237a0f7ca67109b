import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { medians, ratios } from "../../../host/cli/compare-engines.ts";
import { type PeerRequest, startPeer } from "../../../host/cli/peers.ts";

const { signal } = new AbortController();
let folder: string;
let request: PeerRequest;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "meditron-peers-"));
  await mkdir(path.join(folder, "peers"));
  request = {
    folder,
    model: "/models/some.gguf",
    threads: 2,
    contexts: [128],
    prompt: 512,
    decoded: 32,
    python: process.execPath,
  };
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const writePeer = (text: string, name = "llama-cpp.mjs") => writeFile(path.join(folder, "peers", name), text);

it("an engine is told what to measure, and measures a round each time it is asked", async () => {
  await writePeer(`
    import { createInterface } from "node:readline";
    const task = JSON.parse(process.argv[2]);
    const say = (message) => console.log(JSON.stringify(message));
    console.log("loading, says the engine");
    say({ ready: { version: "engine 1", backend: "libggml-cpu-zen4.so" } });
    let round = 0;
    for await (const line of createInterface({ input: process.stdin }))
      if (line === "round") say({ figures: { ["decode@" + task.contexts[0]]: 10 + round++, threads: task.threads } });
  `);
  const started = await startPeer("llama.cpp", request, signal);
  if (started.status !== "ready") throw new Error(started.reason);
  expect(started.details).toEqual({ version: "engine 1", backend: "libggml-cpu-zen4.so" });
  expect(await started.peer.round()).toEqual({ "decode@128": 10, threads: 2 });
  expect(await started.peer.round()).toEqual({ "decode@128": 11, threads: 2 });
  started.peer.stop();
});

it("an engine that is not installed is named with its reason, whether its program or its package is missing", async () => {
  expect(await startPeer("transformers.js", request, signal)).toMatchObject({
    status: "not-installed",
    reason: expect.stringContaining("transformers-js.mjs"),
  });
  await writePeer(`console.log(JSON.stringify({ missing: "Cannot find package 'node-llama-cpp'" }));`);
  expect(await startPeer("llama.cpp", request, signal)).toEqual({
    status: "not-installed",
    reason: "Cannot find package 'node-llama-cpp'",
  });
});

it("an engine that ends or fails does not end the comparison", async () => {
  await writePeer("process.exit(3);");
  expect(await startPeer("llama.cpp", request, signal)).toMatchObject({ status: "failed" });
  expect(await startPeer("llama.cpp", { ...request, model: null }, signal)).toMatchObject({
    status: "no-model",
  });
  await writePeer("", "onnxruntime-genai.py");
  const missing = { ...request, python: path.join(folder, "no-python") };
  expect(await startPeer("onnxruntime-genai", missing, signal)).toMatchObject({ status: "failed" });
});

it("a round that fails says so", async () => {
  await writePeer(`
    console.log(JSON.stringify({ ready: {} }));
    process.stdin.once("data", () => console.log(JSON.stringify({ error: "out of memory" })));
  `);
  const started = await startPeer("llama.cpp", request, signal);
  if (started.status !== "ready") throw new Error(started.reason);
  await expect(started.peer.round()).rejects.toThrow("llama.cpp: out of memory");
  started.peer.stop();
});

it("ratios are above 1 where ours is ahead, in speeds and in times, and leave memory out", () => {
  const ours = { "decode@128": 50, "prefill@512": 300, first_token_image_ms: 100, rss_mb: 800 };
  const theirs = { "decode@128": 40, first_token_image_ms: 150, rss_mb: 900 };
  expect(ratios(ours, theirs)).toEqual({ "decode@128": 1.25, first_token_image_ms: 1.5 });
});

it("medians are taken figure by figure", () => {
  expect(medians([{ a: 1, b: 5 }, { a: 9 }, { a: 3, b: 6 }])).toEqual({ a: 3, b: 5.5 });
});
