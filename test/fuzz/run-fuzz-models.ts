import path from "node:path";
import { fuzzModels, type FuzzReport } from "./fuzz-models.ts";

/** node scripts/run-ts.mjs test/fuzz/run-fuzz-models.ts [COUNT] [SEED] [KIND] */
const [count = "5000", seed = "1", only] = process.argv.slice(2);
const slice = 250;

function sum(a: FuzzReport, b: FuzzReport): FuzzReport {
  const kinds: Record<string, Record<string, number>> = {};
  for (const report of [a, b]) {
    for (const [kind, outcomes] of Object.entries(report.kinds)) {
      const own = (kinds[kind] ??= {});
      for (const [outcome, number] of Object.entries(outcomes)) own[outcome] = (own[outcome] ?? 0) + number;
    }
  }
  return {
    cases: a.cases + b.cases,
    seed: a.seed,
    kinds,
    failures: [...a.failures, ...b.failures],
    slowestMs: Math.max(a.slowestMs, b.slowestMs),
    mostMemoryMb: Math.max(a.mostMemoryMb, b.mostMemoryMb),
  };
}

let report: FuzzReport = {
  cases: 0,
  seed: Number(seed),
  kinds: {},
  failures: [],
  slowestMs: 0,
  mostMemoryMb: 0,
};
while (report.cases < Number(count)) {
  const part = await fuzzModels({
    first: report.cases,
    count: Math.min(slice, Number(count) - report.cases),
    seed: Number(seed),
    only,
    fixtures: path.resolve("test/fixtures/models"),
  });
  report = sum(report, part);
  console.error(JSON.stringify(report));
}
console.log(JSON.stringify(report, null, 2));
process.exitCode = report.failures.length === 0 ? 0 : 1;
