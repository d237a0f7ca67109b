// `npm start`: sets everything up and opens the app. One line a step.
//   --no-open   print the address and open nothing: for servers
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { findChromium } from "./find-chromium.mjs";
import { ensureBuild, ensureDependencies, nodeProblem, root, run } from "./setup.mjs";
import { windowOptions } from "./window-options.mjs";

const noOpen = process.argv.includes("--no-open");
const cli = path.join(root, "dist", "host", "cli.js");
const passedOn = process.argv.slice(2).filter((argument) => argument !== "--no-open");

const problem = nodeProblem();
if (problem) fail(problem);
try {
  await ensureDependencies(step);
  await ensureBuild(step);
  const electron = noOpen || !hasDisplay() ? null : await findElectron();
  if (electron) await openElectron(electron);
  else await openInBrowser();
} catch (error) {
  fail(error.message);
}

function step(text) {
  console.log(text);
}

function fail(text) {
  console.error(text);
  process.exit(1);
}

function hasDisplay() {
  if (process.platform !== "linux") return true;
  return Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);
}

/** The Electron runtime, fetched where its server answers quickly; null where it is not to be had. */
async function findElectron() {
  const folder = path.join(root, "node_modules", "electron");
  const there = electronProgram(folder);
  if (there) return there;
  const mirror = process.env.ELECTRON_MIRROR ?? process.env.npm_config_electron_mirror;
  const server = mirror ?? "https://github.com/electron/electron/releases/";
  const answers = await fetch(server, { method: "HEAD", signal: AbortSignal.timeout(4_000) }).then(
    () => true,
    () => false,
  );
  if (!answers) return (step("Electron: not installed and not reachable"), null);
  step("Electron: fetching the runtime");
  await run(process.execPath, [path.join(folder, "install.js")]).catch(() =>
    step("Electron: fetching failed"),
  );
  return electronProgram(folder);
}

function electronProgram(folder) {
  const name = path.join(folder, "path.txt");
  const program = existsSync(name) ? readFileSync(name, "utf8") : "electron";
  const place = path.join(process.env.ELECTRON_OVERRIDE_DIST_PATH ?? path.join(folder, "dist"), program);
  return existsSync(place) ? place : null;
}

async function openElectron(program) {
  step("window: Electron");
  // Chromium's sandbox does not start for root; that is a test machine then.
  const rootOnly = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  await run(program, [root, ...rootOnly, ...passedOn]);
}

async function openInBrowser() {
  const browser = noOpen || !hasDisplay() ? null : findChromium();
  const served = serve(browser ? ["--window"] : []);
  const address = await served.address;
  if (!browser) {
    step(`address (good for one use): ${address.url}`);
    step("another address: npm run -s meditron -- serve --link");
    if (address.owned) step("stop: Ctrl-C");
    return served.ended;
  }
  step(`window: ${path.basename(browser)} on 127.0.0.1`);
  const profile = await mkdtemp(path.join(os.tmpdir(), "meditron-window-"));
  try {
    const asRoot = process.getuid?.() === 0;
    const options = windowOptions({ url: address.url, profile, asRoot });
    const opened = performance.now();
    const failed = await run(browser, options, { stdio: "ignore" }).then(
      () => false,
      () => performance.now() - opened < 5_000,
    );
    if (!failed) return;
    step("the window could not be opened");
    step(`address (good for one use): ${(await linkOfOther()).url}`);
    await served.ended;
  } finally {
    served.stop();
    await rm(profile, { recursive: true, force: true });
  }
}

/** The host as a process of its own; where the app is open already, only another address of it. */
function serve(options) {
  const child = spawn(process.execPath, [cli, "serve", "--no-open", "--json", ...options, ...passedOn], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stop = () => child.kill("SIGTERM");
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const address = new Promise((resolve, reject) => {
    let told = false;
    createInterface({ input: child.stdout }).once("line", (line) => {
      told = true;
      const answer = JSON.parse(line);
      if (answer.url) {
        child.stderr.on("data", (text) => process.stderr.write(text));
        resolve({ url: answer.url, owned: true });
      } else if (answer.error?.code === "archive-in-use") linkOfOther().then(resolve, reject);
      else reject(new Error(answer.error?.message ?? "The app did not start."));
    });
    child.once("close", (code) => {
      if (!told) reject(new Error(`The app ended with code ${code}.`));
    });
  });
  return { address, ended, stop };
}

async function linkOfOther() {
  const child = spawn(process.execPath, [cli, "serve", "--link", "--json", ...passedOn], { cwd: root });
  let text = "";
  for await (const part of child.stdout) text += part;
  const answer = JSON.parse(text);
  if (!answer.url) throw new Error(answer.error.message);
  return { url: answer.url, owned: false };
}
