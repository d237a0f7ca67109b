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
/** A module finds what lies beside its source, not beside the bundle. */
const keepAddresses = {
  name: "keep-addresses",
  transform(code, id) {
    if (!code.includes("import.meta.url") || id.includes("node_modules")) return null;
    return code.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(id).href));
  },
};
const bundle = await rolldown({
  input: path.resolve(entry),
  platform: "node",
  tsconfig: false,
  plugins: [keepAddresses],
  external: (id) => !id.startsWith(".") && !path.isAbsolute(id),
});
const file = path.join(path.dirname(path.resolve(entry)), ".cache", `${path.basename(entry, ".ts")}.mjs`);
await bundle.write({ file, format: "esm", codeSplitting: false });
await bundle.close();
process.argv = [process.argv[0], file, ...rest];
await import(pathToFileURL(file).href);
