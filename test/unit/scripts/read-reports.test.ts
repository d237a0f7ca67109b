import { describe, expect, it } from "vitest";
import { readPlaywright, readVitest } from "../../../scripts/read-reports.mjs";

const vitest = { numPassedTests: 5, numFailedTests: 0, numPendingTests: 2, numTodoTests: 1, testResults: [] };

describe("the count of npm test", () => {
  it("adds up what vitest says", () => {
    expect(readVitest(vitest)).toEqual({ passed: 5, failed: 0, skipped: 3 });
  });

  it("counts a test file that could not be loaded as a failure", () => {
    const broken = { status: "failed", assertionResults: [] };
    const failing = { status: "failed", assertionResults: [{}] };
    const report = { ...vitest, numFailedTests: 1, testResults: [broken, failing] };
    expect(readVitest(report)).toEqual({ passed: 5, failed: 2, skipped: 3 });
  });

  it("counts a test that passes only the second time, and an error outside any test, as failures", () => {
    const stats = { expected: 7, unexpected: 1, flaky: 1, skipped: 4 };
    expect(readPlaywright({ stats, errors: [{}] })).toEqual({ passed: 7, failed: 3, skipped: 4 });
  });
});
