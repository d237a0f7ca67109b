import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Client } from "../../core/client.ts";
import { type App, createApp } from "../../host/app.ts";
import { forkSpawn } from "../../host/children.ts";
import { appRoot, findFolders } from "../../host/folders.ts";
import { headlessShell } from "../../host/headless-shell.ts";
import { element, file, imageElements } from "../fixtures/dicom/build-dicom.ts";
import { makeZip } from "../unit/archive/import/make-zip.ts";
import { filesWithTexts } from "../unit/archive/store/test-archive.ts";
import { childPid } from "./child-pid.ts";
import { doors, type OpenDoor } from "./doors.ts";

/**
 * What names a patient stands nowhere in the open: not in the data folder, the temporary folder, the log or the spool
 * of uploads, whether the app ended in order or was killed.
 */

const longMs = 300_000;
const patient = {
  name: "Leśniewska^Bożena",
  id: "PID-773311",
  birthDate: "19470311",
  accession: "ACC-990044",
};
/** 山田 as ISO 2022 IR 87 has it: the file's own octets are neither UTF-8 nor UTF-16. */
const japanese = Uint8Array.of(0x1b, 0x24, 0x42, 0x3b, 0x33, 0x45, 0x44, 0x1b, 0x28, 0x42);

let root: string;
let app: App;
let open: OpenDoor;
let client: Client;
let temporaryFolder: string | undefined;

beforeEach(async () => {
  if (!existsSync(path.join(appRoot(import.meta.url), "dist/archive/process.js"))) {
    throw new Error("Run first: npm run build");
  }
  root = await mkdtemp(path.join(os.tmpdir(), "meditron-names-"));
  temporaryFolder = process.env["TMPDIR"];
  await mkdir(path.join(root, "tmp"));
  process.env["TMPDIR"] = path.join(root, "tmp");
  await start();
});
afterEach(async () => {
  await open.close();
  await app.stop();
  if (temporaryFolder === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = temporaryFolder;
  await rm(root, { recursive: true, force: true });
});

async function start(): Promise<void> {
  const env = { MEDITRON_CONFIG: path.join(root, "config") };
  const folders = findFolders({ dataFolder: path.join(root, "data"), env });
  app = createApp({ folders, shell: headlessShell, spawn: forkSpawn });
  open = await doors["loopback"]!(app, folders.data);
  ({ client } = open);
}

function dicom(instance: number, side: number): Buffer {
  const pixels = element(0x7fe00010, "OB", new Uint8Array(side * side).fill(instance));
  const isJapanese = instance % 2 === 0;
  const more = [
    pixels,
    element(0x00080005, "CS", isJapanese ? "\\ISO 2022 IR 87" : "ISO_IR 192"),
    element(0x00080018, "UI", `1.2.3.4.${instance}`),
    element(0x0020000d, "UI", isJapanese ? "1.2.3" : "1.2.4"),
    element(0x0020000e, "UI", isJapanese ? "1.2.3.4" : "1.2.4.4"),
    element(0x00100010, "PN", isJapanese ? japanese : patient.name),
    element(0x00100020, "LO", patient.id),
    element(0x00100030, "DA", patient.birthDate),
    element(0x00080050, "SH", patient.accession),
  ];
  return Buffer.from(file(imageElements({ rows: side, columns: side }, more), "1.2.840.10008.1.2.1"));
}

/** Files whose names hold the patient's too, among them a damaged one and a ZIP. */
async function writeFiles(count: number): Promise<string> {
  const input = path.join(root, "in", patient.id);
  await mkdir(input, { recursive: true });
  for (let i = 1; i <= count; i += 1) {
    await writeFile(path.join(input, `${patient.name} ${i}.dcm`), dicom(i, 64));
  }
  await writeFile(path.join(input, `${patient.name} cut.dcm`), dicom(1, 64).subarray(0, 300));
  const zip = makeZip([{ name: `${patient.name}.dcm`, content: dicom(count + 1, 64) }]);
  await writeFile(path.join(input, `${patient.name}.zip`), zip);
  return input;
}

async function leaks(): Promise<string[]> {
  const texts = [...patient.name.split("^"), patient.id, patient.birthDate, patient.accession, japanese];
  const found = await filesWithTexts(root, texts, { except: path.join(root, "in") });
  return found.map(({ file: where, text }) => `${text} in ${path.relative(root, where)}`);
}

/** Larger than what stays in memory. */
async function uploadLarge(): Promise<void> {
  const input = { upload: "u", name: `${patient.name}/1.dcm` };
  await client.upload("imports.upload", { input, body: new Uint8Array(dicom(201, 3300)) });
}

async function killArchive(): Promise<void> {
  process.kill(await childPid(path.join("dist", "archive", "process.js")), "SIGKILL");
}

describe("names, identifiers, birth dates and accession numbers", () => {
  it(
    "are nowhere in the open after imports of files, a ZIP and an upload; a planted copy is found",
    async () => {
      await client.call("archive.create", { protection: "key-file" });
      const input = await writeFiles(20);
      for await (const _ of client.stream("imports.paths", { paths: [input] }));
      await uploadLarge();
      const spool = path.join(root, "data", "archive", "spool");
      expect(existsSync(spool)).toBe(true);
      expect(await leaks()).toEqual([]);
      for await (const _ of client.stream("imports.finish", { upload: "u" }));
      const studies = await client.call("studies.list", { search: "lesniewska" });
      expect(studies).toMatchObject([{ patientId: patient.id, accessionNumber: patient.accession }]);
      for (const { studyInstanceUid } of studies) {
        for (const { seriesInstanceUid } of await client.call("studies.series", { studyInstanceUid })) {
          await client.bytes("series.thumbnail", { seriesInstanceUid });
        }
      }
      expect(await leaks()).toEqual([]);
      await app.stop();
      expect(await leaks()).toEqual([]);

      for (const [name, planted] of [
        ["tmp/copy", Buffer.from(`xx${patient.id}`, "utf16le")],
        ["data/logs/old.log", Buffer.from(patient.birthDate)],
        ["data/archive/left", Buffer.from(japanese)],
      ] as const) {
        await mkdir(path.dirname(path.join(root, name)), { recursive: true });
        await writeFile(path.join(root, name), planted);
        expect([name, (await leaks()).length]).toEqual([name, 1]);
        await rm(path.join(root, name));
      }
      await writeFile(path.join(root, "tmp", `${patient.accession}.tmp`), "");
      expect(await leaks()).toHaveLength(1);
    },
    longMs,
  );

  it(
    "are nowhere in the open when the archive process is killed in the middle of an import",
    async () => {
      await client.call("archive.create", { protection: "key-file" });
      const input = await writeFiles(150);
      await uploadLarge();
      const importing = async () => {
        for await (const _ of client.stream("imports.paths", { paths: [input] }));
      };
      const ended = expect(importing()).rejects.toMatchObject({ code: "process-lost" });
      // Files of the first of several commits: most of the import is still to come.
      const objects = path.join(root, "data", "archive", "objects");
      const shelves = async () => (await readdir(objects).catch((): string[] => [])).length;
      await expect.poll(shelves, { interval: 1, timeout: longMs }).toBeGreaterThan(5);
      await killArchive();
      await ended;
      expect(await leaks()).toEqual([]);
      // The next start goes on, and says what was left.
      const [unfinished] = await client.call("imports.unfinished", {});
      expect(unfinished).toMatchObject({ paths: [input] });
      let last: unknown = null;
      for await (const event of client.stream("imports.resume", { id: unfinished!.id })) last = event;
      expect(last).toMatchObject({ type: "done", failed: 1 });
      expect(await client.call("imports.unfinished", {})).toEqual([]);
      expect(await client.call("archive.status", {})).toMatchObject({ state: "ready", instances: 151 });
      expect(await leaks()).toEqual([]);
    },
    longMs,
  );
});
