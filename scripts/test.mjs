// `npm test`: sets everything up, runs every check, and ends with one line: N passed, N failed, N skipped.
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { findChromium } from "./find-chromium.mjs";
import { readPlaywright, readVitest } from "./read-reports.mjs";
import { runReported } from "./run-reported.mjs";
import { build, ensureDependencies, nodeProblem, root, run } from "./setup.mjs";

const reports = path.join(root, ".cache", "reports");
const bin = (name) =>
  path.join(root, "node_modules", ".bin", process.platform === "win32" ? `${name}.cmd` : name);
const total = { passed: 0, failed: 0, skipped: 0 };
const troubles = [];

function count({ passed = 0, failed = 0, skipped = 0 }, name) {
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
  if (failed > 0) troubles.push(`${name}: ${failed} failed`);
}

const heading = (text) => console.log(`\n== ${text}`);

/** A check that either holds or does not. */
async function check(name, work) {
  heading(name);
  try {
    await work();
    count({ passed: 1 }, name);
    return true;
  } catch (error) {
    console.error(error.message);
    count({ failed: 1 }, name);
    return false;
  }
}

async function runner(name, options) {
  heading(name);
  count(await runReported(options), name);
}

async function ensureChromium() {
  if (findChromium()) return;
  const debian = existsSync("/etc/debian_version") && process.getuid?.() === 0;
  if (!debian) {
    throw new Error("No Chromium, Chrome or Edge was found. Install one, or name it in MEDITRON_CHROMIUM.");
  }
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  await run("apt-get", ["update", "-qq"], { env });
  await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "chromium"], { env });
}

async function runAll() {
  const problem = nodeProblem();
  if (problem) throw new Error(problem);
  await rm(reports, { recursive: true, force: true });
  await mkdir(reports, { recursive: true });
  if (!(await check("dependencies", () => ensureDependencies(console.log)))) return;
  if (!(await check("build", build))) return;
  await check("format", () => run(bin("prettier"), ["--check", "--log-level", "warn", "."]));
  await check("lint", () => run(bin("oxlint"), ["--deny-warnings"]));
  await check("types", () => run(bin("tsc"), ["-b"]));
  const unitReport = path.join(reports, "vitest.json");
  await runner("unit and contract tests", {
    command: bin("vitest"),
    args: ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${unitReport}`],
    env: { NODE_ENV: "test" },
    read: readVitest,
    report: unitReport,
  });
  if (!(await check("browser", ensureChromium))) return;
  const browserReport = path.join(reports, "playwright.json");
  await runner("end-to-end tests", {
    command: bin("playwright"),
    args: ["test", "-c", "test/e2e/playwright.config.ts", "--reporter=line,json"],
    env: {
      NODE_ENV: "test",
      PLAYWRIGHT_JSON_OUTPUT_FILE: browserReport,
      MEDITRON_CHROMIUM: findChromium(),
    },
    read: readPlaywright,
    report: browserReport,
  });
}

const started = performance.now();
// Whatever happens, the last line says it.
await runAll().catch((error) => {
  console.error(error.message);
  count({ failed: 1 }, "npm test");
});
const minutes = ((performance.now() - started) / 60_000).toFixed(1);
console.log(`\n${minutes} minutes${troubles.length > 0 ? `\n${troubles.join("\n")}` : ""}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed === 0 ? 0 : 1);
