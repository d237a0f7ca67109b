import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { extractFile, getRawHeader } from "@electron/asar";
import { FuseV1Options, FuseVersion, getCurrentFuseWire } from "@electron/fuses";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createApp } from "../../../host/app.ts";
import { forkSpawn } from "../../../host/children.ts";
import { createDirectClient } from "../../../host/direct-client.ts";
import { childScript, findFolders } from "../../../host/folders.ts";
import { headlessShell } from "../../../host/headless-shell.ts";
import { unbundled } from "../../../scripts/unbundled.mjs";
import { root } from "../architecture/sources.ts";

interface PackedFile {
  /** With "/", without one at the start. */
  readonly name: string;
  readonly size: number;
  /** Beside the archive, at a path of its own. */
  readonly unpacked: boolean;
  /** SHA-256 of the content, as Electron compares it. */
  readonly hash: string;
}

// Two platforms on which electron-builder needs no tools that it would have to fetch.
const here = process.platform === "linux" && ["x64", "arm64"].includes(process.arch);

/** The installed program, packed by electron-builder around a stub in the place of Electron. */
describe.skipIf(!here)("the packed program", () => {
  let folder: string;
  let program: string;
  let resources: string;
  let files: readonly PackedFile[];

  beforeAll(async () => {
    if (!existsSync(path.join(root, "dist/electron/main.js"))) throw new Error("Run first: npm run build");
    folder = await mkdtemp(path.join(os.tmpdir(), "meditron-packed-"));
    const electron = path.join(folder, "electron");
    await writeStub(electron);
    const output = path.join(folder, "out");
    const builder = path.join(root, "node_modules/electron-builder/cli.js");
    const options = [`-c.electronDist=${electron}`, `-c.directories.output=${output}`];
    const args = [builder, "--linux", "dir", `--${process.arch}`, ...options];
    await promisify(execFile)(process.execPath, args, { cwd: root });
    program = path.join(output, process.arch === "x64" ? "linux-unpacked" : "linux-arm64-unpacked");
    resources = path.join(program, "resources");
    const { files: tree } = getRawHeader(path.join(resources, "app.asar")).header;
    files = filesOf(tree as unknown as Tree, "");
  }, 600_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const named = (pattern: RegExp) => files.filter(({ name }) => pattern.test(name));
  const names = (some: readonly PackedFile[]) => some.map(({ name }) => name);

  it("has the fuses set that keep it from running other code", async () => {
    const wire = await getCurrentFuseWire(path.join(program, "meditron"));
    expect(wire.version).toBe(FuseVersion.V1);
    // The wire holds ASCII digits.
    const state = (fuse: FuseV1Options) => String.fromCharCode(Number(wire[fuse as never]));
    expect({
      runAsNode: state(FuseV1Options.RunAsNode),
      cookieEncryption: state(FuseV1Options.EnableCookieEncryption),
      nodeOptions: state(FuseV1Options.EnableNodeOptionsEnvironmentVariable),
      nodeCliInspect: state(FuseV1Options.EnableNodeCliInspectArguments),
      asarIntegrity: state(FuseV1Options.EnableEmbeddedAsarIntegrityValidation),
      onlyLoadAppFromAsar: state(FuseV1Options.OnlyLoadAppFromAsar),
      ownV8Snapshot: state(FuseV1Options.LoadBrowserProcessSpecificV8Snapshot),
      fileProtocolPrivileges: state(FuseV1Options.GrantFileProtocolExtraPrivileges),
    }).toEqual({
      runAsNode: "0",
      cookieEncryption: "1",
      nodeOptions: "0",
      nodeCliInspect: "0",
      asarIntegrity: "1",
      onlyLoadAppFromAsar: "1",
      ownV8Snapshot: "0",
      fileProtocolPrivileges: "0",
    });
  });

  it("has nothing beside the archive that Electron would load in its place", () => {
    expect(existsSync(path.join(resources, "app"))).toBe(false);
    expect(existsSync(path.join(resources, "default_app.asar"))).toBe(false);
  });

  it("keeps main process, preload and page in the archive, each with the hash of its content", () => {
    const own = named(/^dist\/(electron|renderer)\//);
    expect(names(own)).toEqual(
      expect.arrayContaining(["dist/electron/main.js", "dist/electron/preload.cjs"]),
    );
    expect(names(own)).toContain("dist/renderer/index.html");
    expect(own.filter(({ unpacked }) => unpacked)).toEqual([]);
    for (const { name, hash } of own) {
      const content = extractFile(path.join(resources, "app.asar"), name);
      expect([name, createHash("sha256").update(content).digest("hex")]).toEqual([name, hash]);
    }
  });

  it("keeps everything that is opened by a real path beside the archive, whole", async () => {
    const real = named(/\.(node|so(\.\d+)*|dylib|dll|wasm|onnx|bin)$|^models\/|^dist\/(archive|models)\//);
    for (const wanted of [
      /libsql.*\.node$/,
      /koffi\.node$/,
      /libonnxruntime\.so/,
      /onnxruntime_binding\.node$/,
      /dcmjs-native-codecs\.wasm$/,
      /^dist\/archive\/decode-worker\.js$/,
      /^models\/packs\/meditron-v-nano\/vision\.onnx$/,
      /^models\/packs\/smollm2-135m-instruct\/pack\.json$/,
      /^dist\/archive\/process\.js$/,
      /^dist\/models\/process\.js$/,
      /^dist\/models\/runtime-worker\.js$/,
    ]) {
      expect(names(real).filter((name) => wanted.test(name))).not.toEqual([]);
    }
    for (const { name, size, unpacked } of real) {
      const there = await stat(path.join(resources, "app.asar.unpacked", name)).catch(() => null);
      expect([name, unpacked, there?.size]).toEqual([name, true, size]);
    }
  });

  it("is found by the folders that the host computes from inside the archive", () => {
    const { packs } = findFolders({ dataFolder: folder, env: {}, root: path.join(resources, "app.asar") });
    expect(existsSync(path.join(packs[0]!, "meditron-v-nano", "pack.json"))).toBe(true);
    for (const part of ["archive", "models"] as const) {
      expect(existsSync(childScript(path.join(resources, "app.asar"), part))).toBe(true);
    }
  });

  it("carries what runs and nothing else", () => {
    const tops = new Set(names(files).map((name) => name.split("/")[0]));
    expect([...tops].toSorted()).toEqual([
      "LICENSE",
      "NOTICE",
      "dist",
      "models",
      "node_modules",
      "package.json",
    ]);
    const parts = new Set(named(/^dist\//).map(({ name }) => name.split("/")[1]));
    expect([...parts].toSorted()).toEqual(["archive", "electron", "models", "renderer"]);
    expect(names(named(/^models\/(?!packs\/)/))).toEqual([]);
    expect(
      names(named(/\.(ts|tsx|mts|map|cc|hh|c|h|py)$|(^|\/)(tests?|__tests__|docs?|examples?)\//)),
    ).toEqual([]);
    expect(names(named(/\.md$/)).filter((name) => !/licen[cs]es?\.md$/i.test(name))).toEqual([]);
  });

  it("carries the packages that are not bundled, with their licences, and none of those for developing", async () => {
    const packages = new Set(
      names(named(/^node_modules\//)).map((name) => /^node_modules\/((@[^/]+\/)?[^/]+)/.exec(name)![1]!),
    );
    for (const name of unbundled) expect([...packages]).toContain(name);
    const read = async (file: string) =>
      JSON.parse(await readFile(file, "utf8")) as Record<string, Record<string, string> | undefined>;
    const { devDependencies } = await read(path.join(root, "package.json"));
    expect([...packages].filter((name) => devDependencies![name] !== undefined)).toEqual([]);
    const packed = await read(path.join(resources, "app.asar.unpacked", "package.json"));
    expect(packed).toMatchObject({ name: "meditron-imaging-assistant", type: "module" });
    expect(packed["devDependencies"]).toBeUndefined();
    expect(names(named(/^dist\/.*licenses\.md$/)).length).toBeGreaterThan(3);
  });

  it("carries the native libraries of its own platform alone", () => {
    const libraries = names(named(/onnxruntime-node\/bin\//));
    expect(libraries.filter((name) => !name.includes(`/linux/${process.arch}/`))).toEqual([]);
  });

  it("starts the thread of the second model runtime from where it lies", async () => {
    const place = path.join(resources, "app.asar.unpacked");
    const worker = new Worker(path.join(place, "dist/models/runtime-worker.js"));
    try {
      // A thread, not a window: there is no origin to name.
      // oxlint-disable-next-line unicorn/require-post-message-target-origin
      worker.postMessage({ type: "call", id: 1, name: "version", input: {} });
      const [answer] = (await once(worker, "message")) as [unknown];
      expect(answer).toEqual({ type: "value", id: 1, value: expect.stringMatching(/^1\./) });
    } finally {
      await worker.terminate();
    }
  });

  it("starts its child processes from where they lie, with everything that they load", async () => {
    const place = path.join(resources, "app.asar.unpacked");
    const env = { MEDITRON_CONFIG: path.join(folder, "config") };
    const folders = findFolders({ dataFolder: path.join(folder, "data"), env, root: place });
    const app = createApp({ folders, shell: headlessShell, spawn: forkSpawn, checkOutputs: true });
    try {
      const client = createDirectClient(app.router);
      const packs = await client.call("models.list", {});
      expect(packs.map(({ name }) => name)).toContain("meditron-v-nano");
      await client.call("archive.create", { protection: "key-file" });
      expect(await client.call("archive.status", {})).toMatchObject({ state: "ready" });
      const compressed = path.join(root, "test/fixtures/dicom/jpeg-lossless-1.dcm");
      const checks = [];
      for await (const check of client.stream("files.check", { paths: [compressed] })) checks.push(check);
      expect(checks).toMatchObject([{ status: "ok", framesDecoded: 1 }]);
    } finally {
      await app.stop();
    }
  }, 120_000);
});

/** A folder that electron-builder takes for an unpacked Electron: a program with a fuse wire, every fuse wrong. */
async function writeStub(electron: string): Promise<void> {
  await mkdir(path.join(electron, "resources"), { recursive: true });
  const sentinel = Buffer.from("dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX", "latin1");
  // As ASCII digits, in the order of the fuses; version 1 of the wire.
  const wrong = Buffer.from("10110011", "latin1");
  const wire = Buffer.concat([sentinel, Buffer.of(1, wrong.length), wrong]);
  await writeFile(
    path.join(electron, "electron"),
    Buffer.concat([Buffer.alloc(64), wire, Buffer.alloc(64)]),
    {
      mode: 0o755,
    },
  );
  await writeFile(path.join(electron, "version"), "45.4.1");
}

interface Tree {
  readonly [name: string]: {
    readonly files?: Tree;
    readonly size?: number;
    readonly unpacked?: boolean;
    readonly integrity?: { readonly hash: string };
  };
}

function filesOf(tree: Tree, above: string): PackedFile[] {
  return Object.entries(tree).flatMap(([entry, { files, size = 0, unpacked = false, integrity }]) =>
    files
      ? filesOf(files, `${above}${entry}/`)
      : [{ name: above + entry, size, unpacked, hash: integrity?.hash ?? "" }],
  );
}
