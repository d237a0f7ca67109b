import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { findChromium } from "../../scripts/find-chromium.mjs";
import { run } from "../../scripts/setup.mjs";
import { handImage, handStudy } from "./hand-image.ts";
import { type Part, parts, plantedCopy } from "./plant.ts";
import type { Finding } from "./read-trace.ts";
import { straceProblem, type Traced, traced } from "./strace.ts";

/**
 * `npm run -s test:network [-- --no-browser | SPEC…]`: the end-to-end tests (or these of them) and a walk through the
 * commands under strace. One JSON object on stdout; exit code 1 where anything but the browser left the machine, or a
 * planted connection did not show. After a build.
 */

const root = process.cwd();
const withBrowser = !process.argv.includes("--no-browser");
const specs = process.argv.slice(2).filter((word) => !word.startsWith("--"));

interface Step {
  readonly step: string;
  readonly exitCode: number | null;
  readonly processes: Readonly<Record<string, number>>;
  readonly local: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
}

const folder = await mkdtemp(path.join(os.tmpdir(), "meditron-network-"));
const env = {
  ...process.env,
  MEDITRON_DATA: path.join(folder, "data"),
  MEDITRON_CONFIG: path.join(folder, "config"),
};
try {
  await ensureStrace();
  const image = path.join(folder, "hand.dcm");
  await writeFile(image, handImage());
  const steps: Step[] = [];
  if (withBrowser) steps.push(await endToEnd());
  for (const args of walk(image)) steps.push(await command(root, args));
  const own = steps.flatMap(({ findings }) => findings.filter(({ role }) => role !== "chromium"));
  const browser = steps.flatMap(({ findings }) => findings.filter(({ role }) => role === "chromium"));
  const failed = steps.filter(({ exitCode }) => exitCode !== 0).map(({ step }) => step);
  const planted = await findPlanted(image);
  const ok = own.length === 0 && failed.length === 0 && Object.values(planted).every(Boolean);
  const told = steps.map(({ step, processes, local }) => ({ step, processes, local }));
  console.log(
    JSON.stringify({ ok, findings: own, chromium: countAddresses(browser), failed, planted, steps: told }),
  );
  process.exitCode = ok ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** What a user does on the command line, the embedded pack's answer with its evidence included. */
function walk(image: string): string[][] {
  return [
    ["--version"],
    ["import", image],
    ["list"],
    ["dicom", "check", image],
    ["models", "list"],
    ["models", "verify", "meditron-v-nano"],
    ["ask", image, "--question", "Is there a fracture?"],
    ["export", handStudy],
  ];
}

async function command(program: string, args: readonly string[]): Promise<Step> {
  console.error(`meditron ${args[0]} ${args[1] ?? ""}`);
  const cli = path.join(program, "dist/host/cli.js");
  const result = await traced([process.execPath, cli, ...args, "--json"], { env });
  return stepOf(`meditron ${args.filter((word) => !word.startsWith("/")).join(" ")}`, result);
}

async function endToEnd(): Promise<Step> {
  const chromium = findChromium();
  if (!chromium)
    throw new Error("No Chromium was found. Name one in MEDITRON_CHROMIUM, or add --no-browser.");
  const playwright = path.join(root, "node_modules/@playwright/test/cli.js");
  const config = path.join(root, "test/e2e/playwright.config.ts");
  // What is traced takes its time: only a test that never ends is stopped.
  const options = ["--project", "chromium", "--reporter", "line", "--timeout", "1200000"];
  const args = [playwright, "test", "-c", config, ...options, ...specs];
  const result = await traced([process.execPath, ...args], {
    env: { ...process.env, NODE_ENV: "test", MEDITRON_CHROMIUM: chromium, MEDITRON_TRACED: "1" },
    cwd: root,
    show: true,
  });
  return stepOf(`end-to-end tests ${specs.join(" ")}`.trimEnd(), result);
}

/** Whether a connection planted in each part shows, in the walk's own commands. */
async function findPlanted(image: string): Promise<Record<string, boolean>> {
  const seen: Record<string, boolean> = {};
  for (const part of Object.keys(parts) as Part[]) {
    const copy = await plantedCopy(root, [part]);
    try {
      const args = part === "inference" ? ["models", "list"] : ["dicom", "check", image];
      const { findings } = await command(copy.root, args);
      seen[part] = findings.length > 0 && findings.every(({ role }) => role === part);
    } finally {
      await copy.remove();
    }
  }
  return seen;
}

function stepOf(step: string, { exitCode, processes, local, findings }: Traced): Step {
  return { step, exitCode, processes, local, findings };
}

function countAddresses(findings: readonly Finding[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { address } of findings) counts[address] = (counts[address] ?? 0) + 1;
  return counts;
}

async function ensureStrace(): Promise<void> {
  if (straceProblem() === null) return;
  if (existsSync("/etc/debian_version") && process.getuid?.() === 0) {
    await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "strace"], {
      stdio: "ignore",
      cwd: root,
    });
  }
  const problem = straceProblem();
  if (problem) throw new Error(`${problem.replace("skipped: ", "")}; it is needed here.`);
}
