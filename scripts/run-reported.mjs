// Runs a test runner that writes a JSON report, and counts what happened: passed, failed, skipped. A runner that
// crashes counts as one failure more, so that no crash can look like a success.
import { spawn } from "node:child_process";
import { readJson, root } from "./setup.mjs";

/**
 * @param runner command and args to run, env to add; `report` is the file it writes, `read` counts its content
 * @returns {Promise<{ passed: number, failed: number, skipped: number }>}
 */
export async function runReported({ command, args, env, report, read }) {
  const { code, signal } = await ended(command, args, env);
  const count = countOf(report, read);
  // Nothing to count: it ended before it wrote its report, or wrote something else.
  if (!count) return { passed: 0, failed: 1, skipped: 0 };
  const { passed, failed, skipped } = count;
  const ranNothing = passed + failed + skipped === 0;
  const badEnd = code !== 0 && failed === 0;
  return { passed, failed: signal || badEnd || ranNothing ? failed + 1 : failed, skipped };
}

function ended(command, args, env) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: "inherit",
      shell: process.platform === "win32",
      env: { ...process.env, ...env },
    });
    child.once("error", () => resolve({ code: -1, signal: null }));
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
}

function countOf(report, read) {
  try {
    const count = read(readJson(report));
    return Object.values(count).every(Number.isInteger) ? count : null;
  } catch {
    return null;
  }
}
