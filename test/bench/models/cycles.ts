import { fileURLToPath } from "node:url";
import { openPack } from "../../../models/open-pack.ts";
import { findPacks } from "../../../models/pack/read-pack.ts";
import { openCRuntime } from "../../../models/runtime/runtime.ts";
import { openTinyPack } from "../../unit/models/tiny-pack.ts";
import { growthOf, loadCycles } from "./load-cycles.ts";

/**
 * node scripts/run-ts.mjs test/bench/models/cycles.ts [tiny | embedded] [CYCLES]
 *
 * Loads and unloads a pack (200 times by default) and says how the memory of the process grew. One JSON object on stdout;
 * ends with 1 where the last quarter holds more than 2 % more than the second.
 */
const [which = "embedded", cycles = "200"] = process.argv.slice(2);
const { signal } = new AbortController();
const runtime = await openCRuntime();
const packs = fileURLToPath(new URL("../../../models/packs", import.meta.url));

async function openEmbedded() {
  const installed = (await findPacks([packs], signal)).find(({ summary }) => summary.embedded)!;
  return openPack(installed, { name: "cpu", provider: null, threads: 2, runtime }, signal);
}

const memory = await loadCycles(which === "tiny" ? openTinyPack : openEmbedded, Number(cycles));
const growth = growthOf(memory);
console.log(
  JSON.stringify({ pack: which, cycles: memory.length, mib: growth, each: memory.map(Math.round) }),
);
process.exitCode = growth.late > growth.early * 1.02 ? 1 : 0;
