import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, open, readdir, rm, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { type Client, createClient } from "../../core/client.ts";
import { AppError } from "../../core/errors.ts";
import { seededRandom } from "../../models/evidence/noise.ts";
import { makeDicom } from "../unit/archive/import/make-dicom.ts";
import { root } from "../unit/architecture/sources.ts";
import { childPid, isAlive } from "./child-pid.ts";

/**
 * The built host, started once, over damaged archives: a bit flips on disk while its archive process is down (killed,
 * so that the log is not folded in), and what the user then asks for is as it was or a named error. The host itself
 * goes on. test/unit/archive/store/damage.test.ts flips 200.
 */
const flips = 24;
/** On a busy machine; alone it takes some twenty seconds. */
const patience = 1_800_000;

const archiveScript = path.join("dist", "archive", "process.js");
let folder: string;
let host: ChildProcess;
let client: Client;
let hostErrors = "";
/** The files of the archive as the killed process left them, and where they belong. */
let kept: string;
let archive: string;
let expected: Answers;

beforeAll(async () => {
  if (!existsSync(path.join(root, archiveScript))) throw new Error("Run first: npm run build");
  folder = await mkdtemp(path.join(os.tmpdir(), "meditron-contract-"));
  await startHost();
  await client.call("archive.create", { protection: "key-file" });
  await importStudies();
  expected = await everything();
  expect(Object.keys(expected).length).toBeGreaterThan(10);
  expect(Object.values(expected).filter((answer) => answer.startsWith("error"))).toEqual([]);
  await killArchiveProcess();
  archive = path.join(folder, "data", "archive");
  kept = path.join(folder, "kept");
  await cp(archive, kept, { recursive: true });
}, patience);

afterAll(async () => {
  host.kill("SIGTERM");
  await once(host, "exit");
  await rm(folder, { recursive: true, force: true });
});

it(
  `${flips} single-bit flips in database, log and objects: unchanged, repaired or named, and the host survives`,
  { timeout: patience },
  async () => {
    const random = seededRandom(271_828);
    const files = ["archive.db", "archive.db-wal", "archive.pages", ...(await objectFiles())];
    const outcomes: Record<string, number> = {};
    for (let flip = 0; flip < flips; flip++) {
      await killArchiveProcess();
      await restore();
      // Half in the index, half in the objects: there are many more of these.
      const among = flip % 2 === 0 ? files.slice(0, 3) : files.slice(3);
      const file = among[Math.floor(random() * among.length)]!;
      await flipBit(path.join(archive, file), random);
      const outcome = outcomeOf(await everything(), file);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      expect(host.exitCode ?? host.signalCode).toBeNull();
    }
    expect(outcomes["named"]).toBeGreaterThan(0);
    expect(outcomes["as it was"]).toBeGreaterThan(0);
    await killArchiveProcess();
    await restore();
    expect(await everything()).toEqual(expected);
    expect(hostErrors).toBe("");
  },
);

/** By what was asked for: the answer as text, or "error CODE". */
type Answers = Record<string, string>;

/** What a user would look at: the list, each series, each image's pixels, the answers. */
async function everything(): Promise<Answers> {
  const answers: Answers = {};
  const ask = async <Value>(name: string, answer: Promise<Value>): Promise<Value | null> => {
    try {
      const value = await answer;
      answers[name] =
        value instanceof Uint8Array ? Buffer.from(value).toString("base64") : JSON.stringify(value, untimed);
      return value;
    } catch (thrown) {
      answers[name] = `error ${thrown instanceof AppError ? thrown.code : String(thrown)}`;
      return null;
    }
  };
  for (const { studyInstanceUid } of (await ask("studies", client.call("studies.list", {}))) ?? []) {
    await ask(`answers of ${studyInstanceUid}`, client.call("answers.list", { studyInstanceUid }));
    const series = client.call("studies.series", { studyInstanceUid });
    for (const { instances } of (await ask(`series of ${studyInstanceUid}`, series)) ?? []) {
      for (const { sopInstanceUid } of instances) {
        await ask(`pixels of ${sopInstanceUid}`, client.bytes("frames.pixels", { sopInstanceUid, frame: 1 }));
      }
    }
  }
  return answers;
}

/** When a study came is not in its files: an index that is made again has another time. */
function untimed(name: string, value: unknown): unknown {
  return name === "importedAt" ? "" : value;
}

/** One of the few right ones; anything else fails with what was asked for and what came. */
function outcomeOf(found: Answers, file: string): "as it was" | "named" {
  const changed = Object.entries(expected).filter(([name, answer]) => found[name] !== answer);
  if (changed.length === 0) return "as it was";
  const damaged = changed.filter(([name]) => found[name] === "error archive-damaged");
  // Where the list itself is refused, nothing behind it was asked for.
  const refused = found["studies"] === "error archive-damaged";
  if (!refused)
    expect({ file, changed: changed.map(([name]) => name) }).toEqual({
      file,
      changed: damaged.map(([name]) => name),
    });
  return "named";
}

async function startHost(): Promise<void> {
  const args = ["serve", "--no-open", "--data-folder", path.join(folder, "data")];
  const env = { ...process.env, MEDITRON_CONFIG: path.join(folder, "config") };
  host = spawn(process.execPath, [path.join(root, "dist/host/cli.js"), ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  host.stderr!.on("data", (chunk: Buffer) => (hostErrors += chunk.toString()));
  for await (const line of createInterface({ input: host.stdout! })) {
    const address = /(http:\S+#token=\S+)/.exec(line)?.[1];
    if (address === undefined) continue;
    const { origin, hash } = new URL(address);
    const token = new URLSearchParams(hash.slice(1)).get("token");
    const session = await fetch(`${origin}/session`, { method: "POST", body: JSON.stringify({ token }) });
    const { bearer } = (await session.json()) as { bearer: string };
    client = createClient({ base: origin, fetch, authorization: () => `Bearer ${bearer}` });
    return;
  }
  throw new Error(`the host gave no address: ${hostErrors}`);
}

/** Two studies, and an answer of each: no pack is for them, and a refusal is kept like any answer. */
async function importStudies(): Promise<void> {
  const files = path.join(folder, "files");
  await mkdir(files);
  for (const study of [1, 2]) {
    for (let instance = 1; instance <= 4; instance++) {
      const uids = {
        study: `1.2.${study}`,
        series: `1.2.${study}.1`,
        instance: `1.2.${study}.1.${instance}`,
      };
      const dicom = makeDicom({ ...uids, instanceNumber: instance, value: instance, side: 40 });
      await writeFile(path.join(files, `${uids.instance}.dcm`), dicom);
    }
  }
  const imported = await last(client.stream("imports.paths", { paths: [files] }));
  expect(imported).toMatchObject({ type: "done", imported: 8, failed: 0 });
  for (const study of [1, 2]) {
    const uids = { study: `1.2.${study}`, series: `1.2.${study}.1`, instance: `1.2.${study}.1.1` };
    const view = { source: uids, frame: 1, voi: null, crop: null };
    const question = { question: "Is there a fracture?", views: [view] };
    const done = await last(client.stream("answers.ask", question as never));
    expect(done).toMatchObject({ type: "done", answer: { answer: { stop: "refused" } } });
  }
}

async function last<Event>(events: AsyncIterable<Event>): Promise<Event | undefined> {
  let latest: Event | undefined;
  for await (const event of events) latest = event;
  return latest;
}

async function killArchiveProcess(): Promise<void> {
  const pid = await childPid(archiveScript, host.pid).catch(() => null);
  if (pid === null) return;
  process.kill(pid, "SIGKILL");
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: patience });
}

/** The archive's files as they were, none of another. */
async function restore(): Promise<void> {
  await rm(archive, { recursive: true });
  await cp(kept, archive, { recursive: true });
}

async function objectFiles(): Promise<string[]> {
  const entries = await readdir(path.join(kept, "objects"), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(kept, path.join(entry.parentPath, entry.name)))
    .toSorted();
}

async function flipBit(file: string, random: () => number): Promise<void> {
  const bit = Math.floor(random() * (await stat(file)).size * 8);
  const handle = await open(file, "r+");
  const octet = Buffer.alloc(1);
  await handle.read(octet, 0, 1, Math.floor(bit / 8));
  octet[0]! ^= 1 << (bit % 8);
  await handle.write(octet, 0, 1, Math.floor(bit / 8));
  await handle.close();
}
