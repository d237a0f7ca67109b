import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { seededRandom } from "../../../archive/sample/random.ts";
import { isErrorCode } from "../../../core/errors.ts";
import { mutated } from "../../fixtures/dicom/mutate.ts";
import { makeDicom } from "../../unit/archive/import/make-dicom.ts";
import { makeDicomdir } from "../../unit/archive/import/make-dicomdir.ts";
import { makeZip } from "../../unit/archive/import/make-zip.ts";
import { openTestImport, type TestImport } from "../../unit/archive/import/test-import.ts";
import { filesBelow } from "../../unit/archive/store/test-archive.ts";

export interface FuzzReport {
  readonly cases: number;
  /** How often each error was met; "none" counts cases without any. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  readonly peakBytes: number;
  /** Cases whose outcome has no name, or that left something behind; none is right. */
  readonly problems: readonly string[];
}

const slice = (instance: number) =>
  makeDicom({ study: "1.1", series: "1.1.1", instance: `1.1.1.${instance}`, instanceNumber: instance });

const directory = makeDicomdir([
  {},
  ...[1, 2, 3].map((number) => ({ file: ["IMG", String(number)] })),
  { file: ["..", "OUTSIDE"] },
  { file: ["IMG", "GONE"], inUse: false },
]);

const images = [1, 2, 3].map((number) => ({ name: `IMG/${number}`, content: slice(number) }));
const zips = [
  makeZip([
    ...images,
    { name: "DICOMDIR", content: directory },
    { name: "a.txt", content: Buffer.from("a") },
  ]),
  makeZip(images.map((image) => ({ ...image, stored: true }))),
  makeZip([{ name: "inner.zip", content: makeZip(images), stored: true }]),
];

/** Imports changed ZIPs and DICOMDIRs (seeded), in turn, into one archive. */
export async function fuzzMedia(job: { cases: number; seed: number }): Promise<FuzzReport> {
  const random = seededRandom(job.seed);
  const archive = await openTestImport();
  const outcomes: Record<string, number> = {};
  const problems: string[] = [];
  let [slowestMs, peakBytes] = [0, 0];
  try {
    const medium = path.join(archive.input, "disc");
    await writeMedium(medium);
    const outside = path.join(archive.input, "OUTSIDE");
    await writeFile(outside, slice(99));
    for (let i = 0; i < job.cases; i += 1) {
      const started = performance.now();
      const report = await importOf(archive, await writeCase({ archive, medium, random, index: i }));
      slowestMs = Math.max(slowestMs, performance.now() - started);
      peakBytes = Math.max(peakBytes, process.memoryUsage().rss);
      const codes = report.codes.length > 0 ? report.codes : ["none"];
      for (const code of codes) outcomes[code] = (outcomes[code] ?? 0) + 1;
      for (const code of codes) {
        if (code !== "none" && (!isErrorCode(code) || code === "internal"))
          problems.push(`case ${i}: ${code}`);
      }
    }
    if (archive.store.catalog.findInstance("1.1.1.99" as never)) problems.push("a file outside was read");
    for await (const event of archive.store.check(new AbortController().signal)) {
      if (event.type === "problem") problems.push(event.problem.message);
    }
    const left = (await filesBelow(archive.dataFolder)).filter((file) => /spool|\.part$/.test(file));
    if (left.length > 0) problems.push(`${left.length} files left behind`);
  } finally {
    await archive.remove();
  }
  return { cases: job.cases, outcomes, slowestMs: Math.round(slowestMs), peakBytes, problems };
}

async function writeMedium(medium: string): Promise<void> {
  await mkdir(path.join(medium, "IMG"), { recursive: true });
  for (const { name, content } of images) await writeFile(path.join(medium, name), content);
}

/** The path to import: a ZIP, a folder with a DICOMDIR, or the DICOMDIR itself. */
async function writeCase(one: {
  archive: TestImport;
  medium: string;
  random: () => number;
  index: number;
}): Promise<string> {
  const { archive, medium, random, index } = one;
  if (index % 2 === 0) {
    const zip = zips[Math.floor(random() * zips.length)]!;
    return archive.write("case.zip", Buffer.from(mutated(new Uint8Array(zip), random)));
  }
  const file = path.join(medium, "DICOMDIR");
  await rm(file, { force: true });
  await writeFile(file, mutated(new Uint8Array(directory), random));
  return random() < 0.5 ? medium : file;
}

async function importOf(archive: TestImport, target: string): Promise<{ codes: string[] }> {
  try {
    const { failures, warnings } = await archive.importPaths(target);
    return { codes: [...failures, ...warnings].map(({ error }) => error.code) };
  } catch (thrown) {
    return { codes: [(thrown as { code?: string }).code ?? String(thrown)] };
  }
}
