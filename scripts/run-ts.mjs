// Runs a TypeScript file of the repository: node scripts/run-ts.mjs FILE ARGS…
// Node 20 cannot; the file is bundled beside itself (.cache/), so that it finds the packages of its own folder.
import path from "node:path";
import { pathToFileURL } from "node:url";
import { rolldown } from "rolldown";

const [entry, ...rest] = process.argv.slice(2);
if (entry === undefined) {
  console.error("usage: node scripts/run-ts.mjs FILE ARGS…");
  process.exit(2);
}
const bundle = await rolldown({
  input: path.resolve(entry),
  platform: "node",
  tsconfig: false,
  external: (id) => !id.startsWith(".") && !path.isAbsolute(id),
});
const file = path.join(path.dirname(path.resolve(entry)), ".cache", `${path.basename(entry, ".ts")}.mjs`);
await bundle.write({ file, format: "esm", codeSplitting: false });
await bundle.close();
process.argv = [process.argv[0], file, ...rest];
await import(pathToFileURL(file).href);
