import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { type App, createApp } from "../../host/app.ts";
import { forkSpawn } from "../../host/children.ts";
import type { Folders } from "../../host/folders.ts";
import { headlessShell } from "../../host/headless-shell.ts";
import type { StreamTimes } from "../../host/transports/stream-body.ts";

export interface Fixture {
  readonly folder: string;
  readonly folders: Folders;
  /** The bundled child.ts, where the archive process of an installed app lies. */
  readonly script: string;
  remove(): Promise<void>;
}

/** A program folder with child.ts in the place of both child processes, and an empty data folder. */
export async function makeFixture(): Promise<Fixture> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "meditron-contract-"));
  const root = path.join(folder, "program");
  await mkdir(path.join(root, "dist", "renderer", "assets"), { recursive: true });
  const app = { name: "meditron-imaging-assistant", version: "9.8.7", type: "module" };
  await writeFile(path.join(root, "package.json"), JSON.stringify(app));
  await writeFile(path.join(root, "dist", "renderer", "index.html"), "<!doctype html><title>page</title>");
  await writeFile(path.join(root, "dist", "renderer", "assets", "a.wasm"), Buffer.from([0, 1, 2]));
  await writeFile(path.join(root, "dist", "secret.txt"), "not of the page");
  for (const part of ["archive", "models"]) {
    await bundleChild("child.ts", path.join(root, "dist", part, "process.js"));
  }
  const data = path.join(folder, "data");
  return {
    folder,
    folders: {
      root,
      data,
      logs: path.join(data, "logs"),
      keyFile: path.join(folder, "config", "archive.keys"),
      cache: path.join(folder, "cache"),
      packs: [],
    },
    script: path.join(root, "dist", "archive", "process.js"),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

export function startFixtureApp(fixture: Fixture, times?: StreamTimes): App {
  return createApp({
    folders: fixture.folders,
    shell: headlessShell,
    spawn: forkSpawn,
    checkOutputs: true,
    ...(times ? { times } : {}),
  });
}

/** One of the children of this folder as a script that Node can run. */
export async function bundleChild(name: string, target: string): Promise<void> {
  const input = fileURLToPath(new URL(name, import.meta.url));
  const bundle = await rolldown({ input, platform: "node", tsconfig: false });
  await bundle.write({ file: target, format: "esm" });
  await bundle.close();
}
