// What `npm start` and `npm test` need before they can begin. It runs in a fresh clone: Node's own modules only.
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

const oldestNode = [20, 19];

/** Says why this Node cannot run the app; null where it can. */
export function nodeProblem() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  const works = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
  return works ? null : `Node ${oldestNode.join(".")} or newer is needed; this is ${process.versions.node}.`;
}

/** Installs what package-lock.json names, unless it is there. @returns whether it had to */
export async function ensureDependencies(step) {
  if (dependenciesComplete()) return (step("dependencies: there"), false);
  step("dependencies: installing (about a minute)");
  // Without install scripts: they would fetch runtimes that are not needed.
  await run(npm, ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
    shell: process.platform === "win32",
  });
  return true;
}

const npm = process.platform === "win32" ? "npm.cmd" : "npm";

function dependenciesComplete() {
  const installed = readJson(path.join(root, "node_modules", ".package-lock.json"));
  if (!installed) return false;
  const wanted = readJson(path.join(root, "package-lock.json")).packages;
  return Object.entries(wanted).every(
    ([name, { version, optional, devOptional, peer }]) =>
      name === "" || optional || devOptional || peer || installed.packages[name]?.version === version,
  );
}

/** Builds dist/ unless it is newer than every source. */
export async function ensureBuild(step) {
  const stamp = path.join(root, "dist", ".built");
  const built = existsSync(stamp) ? statSync(stamp).mtimeMs : 0;
  if (newestSource() < built) return step("build: there");
  step("build: running");
  await build();
}

export async function build() {
  const started = new Date();
  await run(process.execPath, [path.join(root, "scripts", "build.mjs")]);
  writeFileSync(path.join(root, "dist", ".built"), started.toISOString());
}

const sources = ["core", "archive", "models", "host", "electron", "renderer"];
const noSources = new Set(["packs", "training", "__pycache__", "node_modules"]);
const otherSources = ["scripts/build.mjs", "vite.config.ts", "package-lock.json"];

function newestSource() {
  const newestIn = (folder) =>
    readdirSync(folder, { withFileTypes: true }).reduce((newest, entry) => {
      if (noSources.has(entry.name)) return newest;
      const file = path.join(folder, entry.name);
      // A folder's own time changes when a file is removed from it.
      const time = statSync(file).mtimeMs;
      return Math.max(newest, time, entry.isDirectory() ? newestIn(file) : 0);
    }, 0);
  const times = otherSources.map(
    (file) => statSync(path.join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? 0,
  );
  return Math.max(...times, ...sources.map((folder) => newestIn(path.join(root, folder))));
}

/** Runs a program with its output shown. @throws where it fails */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: "inherit", ...options });
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      if (code === 0) resolve();
      else
        reject(
          new Error(`${path.basename(command)} ${args[0] ?? ""} ended with ${signal ?? `code ${code}`}`),
        );
    });
  });
}

export function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return null;
  }
}
