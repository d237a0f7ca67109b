import path from "node:path";
import { assembleNano } from "../models/pack/assemble-nano.ts";

/** node scripts/run-ts.mjs scripts/assemble-nano.ts ARTEFACTS VERSION: see docs/formats/pack.md */
const [artefacts, version] = process.argv.slice(2);
if (artefacts === undefined || version === undefined) {
  console.error("usage: scripts/assemble-nano.ts ARTEFACTS VERSION (in the root of the repository)");
  process.exit(2);
}
const packs = path.resolve("models/packs");
const digest = await assembleNano({
  artefacts,
  version,
  base: path.join(packs, "smollm2-135m-instruct"),
  target: path.join(packs, "meditron-v-nano"),
});
console.log(`meditron-v-nano ${version}, pack.json ${digest}`);
