import { type ChildProcess, fork } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { bytesSource } from "../../../archive/byte-source.ts";
import { checkFile } from "../../../archive/dicom/check-files.ts";
import { seededRandom } from "../../../archive/sample/random.ts";
import { isErrorCode } from "../../../core/errors.ts";
import { mutated } from "../../fixtures/dicom/mutate.ts";

/**
 * Mutates the files below a folder (seeded) and reads each in a child process: every outcome must be ok or a named
 * error, none may end the child, take more than 30 seconds of processor time, or hang. Prints the outcomes as one
 * line of JSON; the exit code is 1 where there was a problem.
 * Usage: fuzz-files CORPUS CASES SEED [FIRST]
 */
const [corpus = "", cases = "10000", seed = "1", first = "0"] = process.argv.slice(2);
const files = (readdirSync(corpus, { recursive: true }) as string[])
  .map((name) => path.join(corpus, name))
  .filter((file) => statSync(file).isFile() && !/\.(json|md)$/.test(file))
  .toSorted();

/** Wall time, on a machine that may have other work. */
const hangMs = 300_000;
const mostCpuMs = 30_000;
const mostBytes = 2 * 1024 ** 3;

interface Outcome {
  readonly index: number;
  readonly outcome: string;
  readonly cpuMs: number;
  readonly bytes: number;
}

if (process.send) await readCases();
else await watchCases();

/** The child: each case has a seed of its own, so that reading goes on behind one that ended a child. */
async function readCases(): Promise<void> {
  for (let index = Number(first); index < Number(cases); index += 1) {
    const random = seededRandom(Number(seed) * 1_000_003 + index);
    const file = files[Math.floor(random() * files.length)]!;
    const octets = mutated(new Uint8Array(readFileSync(file)), random);
    const started = process.cpuUsage();
    const check = await checkFile(file, bytesSource(octets));
    const { user, system } = process.cpuUsage(started);
    const bytes = process.memoryUsage().rss;
    const outcome = check.error?.code ?? check.status;
    process.send?.({ index, outcome, cpuMs: (user + system) / 1000, bytes } satisfies Outcome);
  }
  process.disconnect();
}

async function watchCases(): Promise<void> {
  const outcomes: Record<string, number> = {};
  const problems: string[] = [];
  let slowestMs = 0;
  let peakBytes = 0;
  let at = Number(first);
  while (at < Number(cases)) {
    const child = fork(process.argv[1]!, [corpus, cases, seed, String(at)], {
      execArgv: ["--max-old-space-size=512"],
    });
    const ended = await eachOutcome(child, (one) => {
      at = one.index + 1;
      outcomes[one.outcome] = (outcomes[one.outcome] ?? 0) + 1;
      slowestMs = Math.max(slowestMs, one.cpuMs);
      peakBytes = Math.max(peakBytes, one.bytes);
      const named = ["ok", "no-pixels"].includes(one.outcome) || isErrorCode(one.outcome);
      const inBounds = one.cpuMs <= mostCpuMs && one.bytes <= mostBytes;
      if (!named || one.outcome === "internal" || !inBounds) problems.push(JSON.stringify(one));
      if (at % 500 === 0) console.error(`${at} ${JSON.stringify(outcomes)}`);
    });
    if (at >= Number(cases)) break;
    problems.push(`case ${at} ${ended}`);
    at += 1;
  }
  const summary = { cases: Number(cases), seed: Number(seed), outcomes, slowestMs, peakBytes, problems };
  console.log(JSON.stringify(summary));
  process.exitCode = problems.length > 0 ? 1 : 0;
}

/** How the child ended: by itself, or because a case took too long. */
function eachOutcome(child: ChildProcess, onOutcome: (one: Outcome) => void): Promise<string> {
  return new Promise((resolve) => {
    let hung = false;
    const stop = () => {
      hung = true;
      child.kill("SIGKILL");
    };
    let timer = setTimeout(stop, hangMs);
    child.on("message", (one) => {
      clearTimeout(timer);
      timer = setTimeout(stop, hangMs);
      onOutcome(one as Outcome);
    });
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      resolve(hung ? "hung" : `ended the child (${signal ?? code})`);
    });
  });
}
