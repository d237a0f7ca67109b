import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root } from "../unit/architecture/sources.ts";

/** `npm start -- --no-open`, as it runs on a server. The dependencies and the build are there. */
describe("npm start -- --no-open", { timeout: 120_000 }, () => {
  let folder: string;
  const running: ChildProcess[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), "meditron-contract-"));
  });
  afterAll(async () => {
    for (const child of running) child.kill("SIGTERM");
    await rm(folder, { recursive: true, force: true });
  });

  async function start(): Promise<{ lines: string[]; url: URL; ended: Promise<unknown>; stop(): void }> {
    const env = {
      ...process.env,
      MEDITRON_DATA: path.join(folder, "data"),
      MEDITRON_CONFIG: path.join(folder, "config"),
    };
    const child = spawn(process.execPath, [path.join(root, "scripts/start.mjs"), "--no-open"], { env });
    running.push(child);
    const ended = once(child, "exit");
    const lines: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line);
      const address = /address .*: (http:\S+)$/.exec(line)?.[1];
      if (address) return { lines, url: new URL(address), ended, stop: () => child.kill("SIGTERM") };
    }
    throw new Error(`no address: ${lines.join("; ")}`);
  }

  const exchange = async ({ origin, hash }: URL) => {
    const token = new URLSearchParams(hash.slice(1)).get("token");
    const answer = await fetch(`${origin}/session`, { method: "POST", body: JSON.stringify({ token }) });
    return answer.status;
  };

  it("says each step in a line, serves the page at the address, and ends when it is told to", async () => {
    const first = await start();
    expect(first.lines[0]).toBe("dependencies: there");
    expect(first.lines[1]).toMatch(/^build: /);
    const page = await fetch(first.url.origin);
    expect(await page.text()).toMatch(/<div id="/);
    expect(await exchange(first.url)).toBe(200);
    expect(await exchange(first.url)).toBe(401);

    // A second start finds the first and gives another address of it.
    const second = await start();
    expect(second.url.port).toBe(first.url.port);
    expect(await exchange(second.url)).toBe(200);
    await second.ended;

    const record = path.join(folder, "data", "owner.json");
    expect(existsSync(record)).toBe(true);
    first.stop();
    await first.ended;
    await expect.poll(() => existsSync(record), { timeout: 10_000 }).toBe(false);
  });
});
