// What the test runners' JSON reports say, as one kind of count: passed, failed, skipped.

/** @returns what a vitest JSON report counts */
export function readVitest({ numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults }) {
  // A file that could not be loaded has no tests to fail.
  const broken = testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.length === 0,
  );
  return {
    passed: numPassedTests,
    failed: numFailedTests + broken.length,
    skipped: numPendingTests + (numTodoTests ?? 0),
  };
}

/** @returns what a Playwright JSON report counts */
export function readPlaywright({ stats, errors }) {
  return {
    passed: stats.expected,
    // A test that only passes the second time has failed once.
    failed: stats.unexpected + stats.flaky + errors.length,
    skipped: stats.skipped,
  };
}
