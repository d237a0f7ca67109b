import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fillDisk, type Interruption, killArchive, killHost } from "./interrupted-imports.ts";

/**
 * Cuts an import of 300 files short at random moments (seeded): kill -9 of the archive process, kill -9 of the host,
 * a full disk. Prints what was found as one line of JSON; the exit code is 1 where anything was not as it should be.
 * Usage, after npm run build: node scripts/run-ts.mjs test/bench/archive/interrupt.ts [MOMENTS] [SEED]
 */
const [moments = "20", seedText = "20261123"] = process.argv.slice(2);
const [count, seed] = [Number(moments), Number(seedText)];

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), "meditron-interrupt-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const runs: Record<string, readonly Interruption[] | null> = {
  archive: await inFolder((folder) => killArchive({ folder, count, seed, files: 300 })),
  host: await inFolder((folder) => killHost({ folder, count, seed, files: 300 })),
  disk: await inFolder((folder) => fillDisk({ folder, count, seed })),
};
const problems = Object.entries(runs).flatMap(([name, found]) =>
  (found ?? []).flatMap(({ moment, problems: list }) => list.map((text) => `${name}: ${moment}: ${text}`)),
);
const images = Object.fromEntries(
  Object.entries(runs).map(([name, found]) => [name, found?.map((one) => one.images) ?? "not run here"]),
);
console.log(JSON.stringify({ moments: count, seed, images, problems }));
process.exit(problems.length > 0 ? 1 : 0);
