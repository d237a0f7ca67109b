// `npm test`: sets everything up, runs every check, and ends with one line: N passed, N failed, N skipped.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { findChromium } from "./find-chromium.mjs";
import { readPlaywright, readVitest } from "./read-reports.mjs";
import { build, ensureDependencies, nodeProblem, readJson, root, run } from "./setup.mjs";

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

/** Runs a test runner that writes a JSON report; one that ends badly without a failed test has crashed. */
async function runner(name, { command, args, env, read, report }) {
  heading(name);
  const code = await new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: "inherit",
      shell: process.platform === "win32",
      env: { ...process.env, ...env },
    });
    child.once("error", () => resolve(-1));
    child.once("exit", (status) => resolve(status ?? -1));
  });
  const content = readJson(report);
  const result = content ? read(content) : { failed: 1 };
  if (code !== 0 && !result.failed) result.failed = 1;
  count(result, name);
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

const problem = nodeProblem();
if (problem) {
  console.error(problem);
  process.exit(1);
}
const started = performance.now();
await rm(reports, { recursive: true, force: true });
await mkdir(reports, { recursive: true });
const ready =
  (await check("dependencies", () => ensureDependencies(console.log))) && (await check("build", build));
if (ready) {
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
  if (await check("browser", ensureChromium)) {
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
}
const minutes = ((performance.now() - started) / 60_000).toFixed(1);
console.log(`\n${minutes} minutes${troubles.length > 0 ? `\n${troubles.join("\n")}` : ""}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed === 0 ? 0 : 1);
