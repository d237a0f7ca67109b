import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readVitest } from "../../../scripts/read-reports.mjs";
import { runReported } from "../../../scripts/run-reported.mjs";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "meditron-unit-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const report = (passed: number, failed: number) =>
  JSON.stringify({
    numPassedTests: passed,
    numFailedTests: failed,
    numPendingTests: 2,
    testResults: [{ status: failed > 0 ? "failed" : "passed", assertionResults: [{}] }],
  });

/** A runner that writes this text as its report and then does this. */
function run(text: string | null, end: string) {
  const file = path.join(folder, "report.json");
  const write =
    text === null ? "" : `require("node:fs").writeFileSync(process.argv[1], ${JSON.stringify(text)});`;
  const args = ["-e", `${write}${end}`, file];
  return runReported({ command: process.execPath, args, report: file, read: readVitest });
}

describe("a test runner", () => {
  it("that ends well counts as its report says", async () => {
    expect(await run(report(5, 0), "")).toEqual({ passed: 5, failed: 0, skipped: 2 });
  });

  it("with failed tests counts them, and its exit code is no failure more", async () => {
    expect(await run(report(5, 3), "process.exit(1)")).toEqual({ passed: 5, failed: 3, skipped: 2 });
  });

  it.each([
    [
      "ends badly without a failed test",
      report(5, 0),
      "process.exit(1)",
      { passed: 5, failed: 1, skipped: 2 },
    ],
    ["is killed", report(5, 0), 'process.kill(process.pid, "SIGKILL")', { passed: 5, failed: 1, skipped: 2 }],
    [
      "is killed after failures",
      report(5, 3),
      'process.kill(process.pid, "SIGKILL")',
      { passed: 5, failed: 4, skipped: 2 },
    ],
    ["crashes before its report", null, "process.abort()", { passed: 0, failed: 1, skipped: 0 }],
    ["writes no report and says all is well", null, "", { passed: 0, failed: 1, skipped: 0 }],
    ["cuts its report", report(5, 0).slice(0, 40), "", { passed: 0, failed: 1, skipped: 0 }],
    ["writes something else", '{"hello": 1}', "", { passed: 0, failed: 1, skipped: 0 }],
    ["writes null", "null", "", { passed: 0, failed: 1, skipped: 0 }],
    ["runs nothing", report(0, 0).replace("2", "0"), "", { passed: 0, failed: 1, skipped: 0 }],
  ] as const)("that %s counts as a failure", async (_name, text, end, expected) => {
    expect(await run(text, end)).toEqual(expected);
  });

  it("that does not exist counts as a failure", async () => {
    const file = path.join(folder, "report.json");
    const missing = path.join(folder, "no-such-runner");
    const result = await runReported({ command: missing, args: [], report: file, read: readVitest });
    expect(result).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });
});
