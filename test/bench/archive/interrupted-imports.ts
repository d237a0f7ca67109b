import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, rm, statfs, writeFile } from "node:fs/promises";
import path from "node:path";
import type { ArchiveApi } from "../../../archive/api.ts";
import { seededRandom } from "../../../archive/sample/random.ts";
import type { ImportEvent } from "../../../core/archive-events.ts";
import { type ArchiveChild, startArchive, startArchiveOnDisk } from "../../unit/archive/archive-child.ts";
import { makeDicom } from "../../unit/archive/import/make-dicom.ts";
import { dataKey, filesBelow, filesWithText } from "../../unit/archive/store/test-archive.ts";

/** Imports that are cut short at random moments; what is left must be whole, and the import must go on. */

export const patientName = "Interrupted^Person";
const signal = new AbortController().signal;

type Done = Extract<ImportEvent, { type: "done" }>;

export interface Interruption {
  /** Where and when it was cut short. */
  readonly moment: string;
  /** Images that were in the archive after the next start. */
  readonly images: number;
  /** Anything that is not as it should be; none is right. */
  readonly problems: readonly string[];
}

export async function writeFiles(input: string, count: number, side = 32): Promise<void> {
  await mkdir(input, { recursive: true });
  for (let i = 1; i <= count; i += 1) {
    const study = `1.${1 + (i % 3)}`;
    const series = `${study}.1`;
    const uids = { study, series, instance: `${series}.${i}` };
    const octets = makeDicom({ ...uids, instanceNumber: i, value: i, side, patientName });
    await writeFile(path.join(input, `${i}.dcm`), octets);
  }
}

export async function importAll(api: ArchiveApi, input: string): Promise<Done> {
  let last: ImportEvent | null = null;
  for await (const event of api.importPaths({ paths: [input] }, signal)) last = event;
  if (last?.type !== "done") throw new Error("The import ended without its report.");
  return last;
}

/** Every row opens and its pixels are those of its own file; rows and files are as many. */
export async function findProblems(
  api: ArchiveApi,
  objects: string,
): Promise<{ images: number; problems: string[] }> {
  const problems: string[] = [];
  let images = 0;
  for (const { studyInstanceUid } of await api.listStudies({ search: "" }, signal)) {
    for (const { instances } of await api.listSeries({ studyInstanceUid }, signal)) {
      for (const { sopInstanceUid, instanceNumber } of instances) {
        const frame = await api.readFrame({ sopInstanceUid, frame: 1 }, signal);
        if (frame.values[0] !== instanceNumber) problems.push(`${sopInstanceUid} has another image`);
        images += 1;
      }
    }
  }
  const files = await filesBelow(objects);
  const halves = files.filter((file) => !file.endsWith(".obj"));
  if (halves.length > 0) problems.push(`${halves.length} half-written files`);
  if (files.length - halves.length !== images) problems.push(`${files.length} files, ${images} images`);
  for await (const event of api.checkArchive({}, signal)) {
    if (event.type === "problem") problems.push(event.problem.message);
  }
  return { images, problems };
}

/** Kills the archive process at `count` moments of an import, each time of another archive; then the import goes on. */
export async function killArchive(job: Job): Promise<Interruption[]> {
  const input = path.join(job.folder, "in");
  await writeFiles(input, job.files);
  const tookMs = await timed(async () => {
    const child = await opened(path.join(job.folder, "whole"));
    await importAll(child.api, input);
    await child.kill();
  });
  const random = seededRandom(job.seed);
  const found: Interruption[] = [];
  for (let i = 0; i < job.count; i += 1) {
    const dataFolder = path.join(job.folder, `data-${i}`);
    const objects = path.join(dataFolder, "objects");
    const dying = await opened(dataFolder);
    const running = importAll(dying.api, input).catch(() => null);
    // Not a wait for something to happen: the moment is the input.
    const afterMs = Math.floor(random() * tookMs);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    await dying.kill();
    await running;
    const readable = await filesWithText(dataFolder, patientName);
    const child = await opened(dataFolder);
    const { images, problems } = await findProblems(child.api, objects);
    if (readable.length > 0) problems.push(`${readable.length} files with a name in the open`);
    const unfinished = await child.api.unfinishedImports({}, signal);
    if (images > 0 && images < job.files && unfinished.length !== 1)
      problems.push("the import was forgotten");
    const done = await importAll(child.api, input);
    if (done.imported !== job.files - images) problems.push(`${done.imported} went on behind ${images}`);
    const after = await findProblems(child.api, objects);
    problems.push(...after.problems);
    if (after.images !== job.files) problems.push(`${after.images} images at the end`);
    if ((await child.api.unfinishedImports({}, signal)).length > 0) problems.push("the import did not end");
    found.push({ moment: `archive process after ${afterMs} ms`, images, problems });
    await child.kill();
    await rm(dataFolder, { recursive: true });
  }
  return found;
}

interface Job {
  readonly folder: string;
  /** Moments. */
  readonly count: number;
  readonly seed: number;
  readonly files: number;
}

/** Kills the host, run as the command line, at `count` moments of an import; then `import --resume` goes on. */
export async function killHost(job: Job): Promise<Interruption[]> {
  const input = path.join(job.folder, "in");
  await writeFiles(input, job.files);
  const cliOn = (data: string): Cli => {
    const place = { data: path.join(job.folder, data), folder: job.folder };
    return (args) => runCommand(args, place);
  };
  const whole = cliOn("whole")(["import", input]);
  await whole.started;
  const tookMs = await timed(() => whole.ended);
  const random = seededRandom(job.seed);
  const found: Interruption[] = [];
  for (let i = 0; i < job.count; i += 1) {
    const cli = cliOn(`data-${i}`);
    const running = cli(["import", input]);
    await running.started;
    const afterMs = Math.floor(random() * tookMs);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    running.child.kill("SIGKILL");
    await running.ended;
    const { images, problems } = await listed(cli);
    const readable = await filesWithText(job.folder, patientName, { except: input });
    if (readable.length > 0) problems.push(`${readable.length} files with a name in the open`);
    // Where it came through, nothing is left to go on with.
    await cli(["import", "--resume"]).ended;
    const after = await listed(cli);
    problems.push(...after.problems);
    if (after.images !== job.files) problems.push(`${after.images} images at the end`);
    found.push({ moment: `host after ${afterMs} ms`, images, problems });
    await rm(path.join(job.folder, `data-${i}`), { recursive: true });
  }
  return found;
}

type Cli = (args: readonly string[]) => Running;

async function listed(cli: Cli): Promise<{ images: number; problems: string[] }> {
  // The archive process of the killed host ends by itself, and its lock with it.
  for (let attempt = 0; ; attempt += 1) {
    const check = JSON.parse((await cli(["archive", "check", "--json"]).ended).split("\n")[0] ?? "") as {
      images?: number;
      problems?: { message: string }[];
      error?: { code: string; message: string };
    };
    if (check.error?.code === "archive-in-use" && attempt < 100) continue;
    if (check.error) return { images: 0, problems: [check.error.message] };
    return { images: check.images!, problems: check.problems!.map(({ message }) => message) };
  }
}

interface Running {
  readonly child: ChildProcess;
  /** The first progress of an import was shown. */
  readonly started: Promise<void>;
  /** What stood on standard output. */
  readonly ended: Promise<string>;
}

function runCommand(args: readonly string[], place: { data: string; folder: string }): Running {
  const child = spawn(process.execPath, [path.resolve("dist", "host", "cli.js"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      MEDITRON_DATA: place.data,
      MEDITRON_CONFIG: path.join(place.folder, "config"),
      TMPDIR: place.folder,
    },
  });
  let out = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  const ended = new Promise<string>((resolve) => child.once("close", () => resolve(out)));
  const started = new Promise<void>((resolve) => {
    child.stderr.on("data", (chunk: Buffer) => {
      if (/files/.test(chunk.toString())) resolve();
    });
    void ended.then(() => resolve());
  });
  return { child, started, ended };
}

/** Fills the disk so that it ends at `count` moments of an import; null where no disk can be mounted. */
export async function fillDisk(job: {
  folder: string;
  count: number;
  seed: number;
}): Promise<Interruption[] | null> {
  const [input, disk] = [path.join(job.folder, "in"), path.join(job.folder, "disk")];
  const count = 60;
  await writeFiles(input, count, 128);
  await mkdir(disk);
  const child = await startArchiveOnDisk(disk, "size=8m");
  if (!child) return null;
  const { api, pid } = child;
  const dataFolder = path.join(disk, "data");
  // The disk exists in the namespace of the process alone.
  const seen = (name: string) => path.join(`/proc/${pid}/root`, name);
  const objects = seen(path.join(dataFolder, "objects"));
  const filler = seen(path.join(disk, "filler"));
  const random = seededRandom(job.seed);
  const found: Interruption[] = [];
  try {
    await api.open({ dataFolder, dataKey }, signal);
    for (let i = 0; i < job.count; i += 1) {
      // Thirty-two images of 33 kB are one commit: half of the moments lie where its files, log and record end.
      const room = Math.floor(i % 2 === 0 ? random() * 1_900_000 : 1_150_000 + random() * 120_000);
      const { bavail, bsize } = await statfs(seen(disk));
      await writeFile(filler, Buffer.alloc(Math.max(0, bavail * bsize - room)));
      const code = await importAll(api, input).then(
        () => "",
        (thrown: { code?: string }) => thrown.code,
      );
      const { images, problems } = await findProblems(api, objects);
      if (code !== "disk-full") problems.push(`the import ended with ${code || "success"}`);
      await rm(filler);
      const done = await importAll(api, input);
      if (done.imported !== count - images) problems.push(`${done.imported} of ${count - images} went on`);
      problems.push(...(await findProblems(api, objects)).problems);
      for (const { studyInstanceUid } of await api.listStudies({ search: "" }, signal)) {
        await api.deleteStudy({ studyInstanceUid }, signal);
      }
      found.push({ moment: `${room} octets free`, images, problems });
    }
    return found;
  } finally {
    await child.kill();
  }
}

async function opened(dataFolder: string): Promise<ArchiveChild> {
  const child = startArchive();
  await child.api.open({ dataFolder, dataKey }, signal);
  return child;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
