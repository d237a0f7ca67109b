import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createChild, forkSpawn, type Spawn } from "../../../host/children.ts";

interface Nothing {
  nothing(input: object, signal: AbortSignal): Promise<void>;
}

let folder: string;
let started: number;

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "meditron-child-"));
  await mkdir(path.join(folder, "archive"));
  await writeFile(path.join(folder, "archive", "process.js"), "process.on('message', () => {});");
  started = 0;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function child() {
  const counted: Spawn = (script, log) => {
    started += 1;
    return forkSpawn(script, log);
  };
  return createChild<Nothing>({
    script: path.join(folder, "archive", "process.js"),
    spawn: counted,
    kinds: { nothing: "call" },
    log: { write: () => undefined },
    prepare: () => Promise.resolve(),
  });
}

const { signal } = new AbortController();

it("starts a process again that was stopped", async () => {
  const one = child();
  await one.ready(signal);
  await one.stop();
  await one.ready(signal);
  expect(started).toBe(2);
  await one.end();
});

it("starts nothing once it was ended, whoever asks", async () => {
  const one = child();
  await one.ready(signal);
  const ending = one.end();
  await expect(one.ready(signal)).rejects.toMatchObject({ code: "process-lost" });
  expect(() => one.bare()).toThrow("being closed");
  await ending;
  await expect(one.ready(signal)).rejects.toMatchObject({ code: "process-lost" });
  expect(started).toBe(1);
});
