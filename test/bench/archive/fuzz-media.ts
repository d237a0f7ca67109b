import { fuzzMedia } from "./fuzzed-media.ts";

/**
 * Imports ZIPs and DICOMDIRs that were changed at random (seeded): every outcome must be done or a named error, and
 * nothing may stay behind. Prints the outcomes as one line of JSON; the exit code is 1 where that does not hold.
 * Usage: node scripts/run-ts.mjs test/bench/archive/fuzz-media.ts [CASES] [SEED]
 */
const [cases = "2000", seed = "20261123"] = process.argv.slice(2);
const report = await fuzzMedia({ cases: Number(cases), seed: Number(seed) });
console.log(JSON.stringify({ seed: Number(seed), ...report }));
process.exit(report.problems.length > 0 ? 1 : 0);
