import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { bytesSource } from "../../../archive/byte-source.ts";
import { checkFile } from "../../../archive/dicom/check-files.ts";
import { seededRandom } from "../../../archive/sample/random.ts";
import { isErrorCode } from "../../../core/errors.ts";
import { mutated } from "../../fixtures/dicom/mutate.ts";

/**
 * Mutates the files below a folder (seeded) and reads each: every outcome must be ok or a named error. Prints the
 * outcomes as one line of JSON; the exit code is 1 where a case was unnamed or took longer than 30 seconds.
 * Usage: fuzz-files CORPUS CASES SEED
 */
const [corpus = "", cases = "300", seed = "1"] = process.argv.slice(2);
const random = seededRandom(Number(seed));
const files = (readdirSync(corpus, { recursive: true }) as string[])
  .map((name) => path.join(corpus, name))
  .filter((file) => statSync(file).isFile() && !/\.(json|md)$/.test(file))
  .toSorted();

const outcomes: Record<string, number> = {};
const problems: string[] = [];
let slowestMs = 0;
let peakBytes = 0;
for (let i = 0; i < Number(cases); i += 1) {
  const file = files[Math.floor(random() * files.length)]!;
  const octets = mutated(new Uint8Array(readFileSync(file)), random);
  const started = performance.now();
  const check = await checkFile(file, bytesSource(octets));
  const tookMs = performance.now() - started;
  slowestMs = Math.max(slowestMs, tookMs);
  peakBytes = Math.max(peakBytes, process.memoryUsage().rss);
  const outcome = check.error?.code ?? check.status;
  outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  const named = outcome === check.status || (isErrorCode(outcome) && outcome !== "internal");
  if (!named || tookMs > 30_000)
    problems.push(`case ${i} ${path.relative(corpus, file)} ${outcome} ${tookMs | 0} ms`);
}
console.log(
  JSON.stringify({ cases: Number(cases), seed: Number(seed), outcomes, slowestMs, peakBytes, problems }),
);
process.exitCode = problems.length > 0 ? 1 : 0;
