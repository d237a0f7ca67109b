// Builds dist/: the Node parts with rolldown, the renderer with Vite. What is pure JavaScript is bundled: a process
// starts in half the time, and the installed program carries no file that it does not use.
//   node scripts/build.mjs                 everything
//   node scripts/build.mjs archive host    only these parts
import { existsSync } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { licenseTexts, packageFolders } from "./bundle-licenses.mjs";
import { staysOutside } from "./unbundled.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

const nodeParts = [
  { part: "archive", entry: "archive/process.ts", file: "archive/process.js" },
  { part: "archive", entry: "archive/dicom/codecs/decode-worker.ts", file: "archive/decode-worker.js" },
  { part: "models", entry: "models/process.ts", file: "models/process.js" },
  { part: "models", entry: "models/runtime/binding/worker.ts", file: "models/runtime-worker.js" },
  { part: "host", entry: "host/cli.ts", file: "host/cli.js", executable: true },
  { part: "electron", entry: "electron/main.ts", file: "electron/main.js" },
  // A sandboxed preload cannot be an ES module.
  { part: "electron", entry: "electron/preload.ts", file: "electron/preload.cjs", format: "cjs" },
];

async function buildNodePart({ entry, file, format = "esm", executable = false }) {
  const { rolldown } = await import("rolldown");
  const bundle = await rolldown({
    input: path.join(root, entry),
    platform: "node",
    tsconfig: false,
    external: staysOutside,
    onLog: (level, log) => {
      if (level === "warn") throw new Error(`${entry}: ${log.message}`);
    },
  });
  const target = path.join(root, "dist", file);
  const { output } = await bundle.write({
    file: target,
    format,
    sourcemap: true,
    codeSplitting: false,
    banner: executable ? "#!/usr/bin/env node" : "",
  });
  await bundle.close();
  if (executable) await chmod(target, 0o755);
  const bundled = packageFolders(Object.keys(output[0].modules));
  if (bundled.length > 0) {
    const { dir, name } = path.parse(target);
    await writeFile(path.join(dir, `${name}.licenses.md`), `${licenseTexts(bundled)}\n`);
  }
}

async function buildRenderer() {
  const { build } = await import("vite");
  await build({ configFile: path.join(root, "vite.config.ts"), logLevel: "warn" });
}

const wanted = process.argv.slice(2);
const chosen = (part) => wanted.length === 0 || wanted.includes(part);
const known = new Set([...nodeParts.map(({ part }) => part), "renderer"]);
const unknown = wanted.filter((part) => !known.has(part));
if (unknown.length > 0) {
  console.error(`No part called ${unknown.join(", ")}; there are ${[...known].join(", ")}.`);
  process.exit(2);
}

const started = performance.now();
const work = nodeParts
  .filter(({ part, entry }) => chosen(part) && existsSync(path.join(root, entry)))
  .map(buildNodePart);
if (chosen("renderer") && existsSync(path.join(root, "renderer/index.html"))) work.push(buildRenderer());
const failed = (await Promise.allSettled(work)).filter(({ status }) => status === "rejected");
for (const { reason } of failed) console.error(reason);
if (failed.length > 0) process.exit(1);
console.log(`built ${work.length} parts in ${((performance.now() - started) / 1000).toFixed(1)} s`);
