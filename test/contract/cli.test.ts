import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { forkSpawn } from "../../host/children.ts";
import { runCli } from "../../host/cli/run-cli.ts";
import { root } from "../unit/architecture/sources.ts";
import { type Fixture, makeFixture, startFixtureApp } from "./fixture-app.ts";

describe("the command line as a door", () => {
  let fixture: Fixture;

  beforeAll(async () => {
    fixture = await makeFixture();
    for (const name of ["three", "break", "endless", "silent"]) {
      await writeFile(path.join(fixture.folder, name), "");
    }
  });
  afterAll(() => fixture.remove());

  async function cli(args: readonly string[], options: { signal?: AbortSignal; onLine?(): void } = {}) {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    if (options.onLine) stdout.once("data", options.onLine);
    const printed = [text(stdout), text(stderr)] as const;
    const exit = await runCli(args, {
      streams: { stdout, stderr },
      env: { MEDITRON_DATA: fixture.folders.data, MEDITRON_CONFIG: path.join(fixture.folder, "config") },
      spawn: (_script, log) => forkSpawn(fixture.script, log),
      signal: options.signal ?? new AbortController().signal,
    });
    stdout.end();
    stderr.end();
    const out = await printed[0];
    return {
      exit,
      out,
      err: await printed[1],
      json: () =>
        out
          .trim()
          .split("\n")
          .map((l) => JSON.parse(l)),
    };
  }
  const at = (name: string) => path.join(fixture.folder, name);

  it("prints a stream as one JSON object a line and nothing else on stdout", async () => {
    const { exit, json, err } = await cli(["dicom", "check", at("three"), "--json"]);
    expect(exit).toBe(0);
    expect(json().map(({ file }) => file)).toEqual(["file 1", "file 2", "file 3"]);
    expect(err).toMatch(/3 ok/);
  });

  it("prints a value as one JSON object, and makes the archive on first use", async () => {
    const imported = await cli(["import", at("three"), "--json"]);
    // The child has no importPaths: the archive was made and opened before that was found out.
    expect(imported.err).toMatch(/Recovery key, shown only now/);
    const { exit, json } = await cli(["list", "--json"]);
    expect(exit).toBe(0);
    expect(json()).toEqual([{ studies: [] }]);
    const key = path.join(fixture.folder, "config", "archive.keys");
    expect((await stat(key)).mode & 0o777).toBe(0o600);
  });

  it.each([
    { args: ["nonsense"], exit: 2, code: "usage" },
    { args: ["ask", "--json"], exit: 2, code: "usage" },
    { args: ["ask", "three", "--question", "?", "--window", "a,b"], exit: 2, code: "usage" },
    { args: ["list", "--frobnicate"], exit: 2, code: "usage" },
    { args: ["dicom", "check", "/no/such/file"], exit: 5, code: "file-not-found" },
    {
      args: ["ask", "no-such-file.dcm", "--question", "Is there a fracture?"],
      exit: 5,
      code: "file-not-found",
    },
  ])("ends $args with exit code $exit and the name of the failure", async ({ args, exit, code }) => {
    const given = await cli([...args.map((arg) => (arg === "three" ? at(arg) : arg)), "--json"]);
    expect(given.exit).toBe(exit);
    expect(given.json()).toMatchObject([{ error: { code } }]);
    expect(given.err).toContain(code);
  });

  it("ends with exit code 3 where a file is damaged, after what came before", async () => {
    const { exit, json } = await cli(["dicom", "check", at("break"), "--json"]);
    expect(exit).toBe(3);
    expect(json()).toMatchObject([{ file: "file 1" }, { error: { code: "dicom-damaged" } }]);
  });

  it("ends with exit code 6 at Ctrl-C", async () => {
    const controller = new AbortController();
    const onLine = () => controller.abort();
    const { exit, json } = await cli(["dicom", "check", at("endless"), "--json"], {
      signal: controller.signal,
      onLine,
    });
    expect(exit).toBe(6);
    expect(json().at(-1)).toMatchObject({ error: { code: "cancelled" } });
  });

  it("asks the process that owns the data folder", async () => {
    const app = startFixtureApp(fixture);
    try {
      await app.takeFolder();
      const { exit, json } = await cli(["list", "--json"]);
      expect(exit).toBe(0);
      expect(json()).toEqual([{ studies: [] }]);
    } finally {
      await app.stop();
    }
    // The owner is gone, and so is its record: the next command is its own owner again.
    await expect(readFile(path.join(fixture.folders.data, "owner.json"))).rejects.toMatchObject({
      code: "ENOENT",
    });
    expect((await cli(["list", "--json"])).exit).toBe(0);
  });

  it("takes over from an owner that died without a word", async () => {
    await mkdir(fixture.folders.data, { recursive: true });
    const record = { pid: process.pid, socket: path.join(fixture.folder, "gone"), secret: "x" };
    await writeFile(path.join(fixture.folders.data, "owner.json"), JSON.stringify(record));
    expect((await cli(["list", "--json"])).exit).toBe(0);
  });

  it("prints help", async () => {
    expect((await cli(["--help"])).out).toContain("dicom check");
    expect((await cli(["ask", "--help"])).out).toContain("--ground-budget");
  });

  it("prints the version and where everything lies, before there is an archive and after", async () => {
    const { version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"));
    const other = path.join(fixture.folder, "other");
    const packs = [path.join(root, "models", "packs"), path.join(other, "packs")];
    expect((await cli(["--version", "--json", "--data-folder", other])).json()).toEqual([
      {
        name: "meditron",
        version,
        dataFolder: other,
        logFolder: path.join(other, "logs"),
        keyLocation: "",
        packFolders: packs,
      },
    ]);
    // Nothing was made by asking.
    await expect(stat(other)).rejects.toMatchObject({ code: "ENOENT" });
    const { out } = await cli(["--version"]);
    expect(out.split("\n")[0]).toBe(`meditron ${version}`);
    for (const place of [
      fixture.folders.data,
      path.join(fixture.folders.data, "logs"),
      fixture.folders.keyFile,
    ]) {
      expect(out).toContain(place);
    }
  });
});

async function text(stream: PassThrough): Promise<string> {
  let all = "";
  for await (const chunk of stream) all += String(chunk);
  return all;
}
