import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { answer } from "../../../models/answer.ts";
import { machineMemory } from "../../../models/fit/available-memory.ts";
import { judgeFit } from "../../../models/fit/judge-fit.ts";
import { readPackSizes } from "../../../models/fit/pack-sizes.ts";
import { openPack } from "../../../models/open-pack.ts";
import { findPacks } from "../../../models/pack/read-pack.ts";
import { openCRuntime } from "../../../models/runtime/runtime.ts";
import { packsOf, tinyRequest } from "../../unit/models/tiny-pack.ts";

/**
 * What a pack was estimated to take, beside what it takes: loaded, after a question, and after testing the answer's
 * evidence. One line of JSON; MB. Linux.
 * Usage: node scripts/run-ts.mjs test/bench/runtime/memory.ts [PACK]
 */
const [name = "meditron-v-nano"] = process.argv.slice(2);
const { signal } = new AbortController();

function measured(): Record<string, number> {
  const text = readFileSync("/proc/self/status", "utf8");
  const of = (key: string) =>
    Math.round((Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(text)?.[1]) * 1024) / 1e6);
  return { rss: of("VmRSS"), own: of("RssAnon"), files: of("RssFile"), largest: of("VmHWM") };
}

const packs = fileURLToPath(new URL("../../../models/packs", import.meta.url));
const installed = (await findPacks([packs], signal)).find(({ summary }) => summary.name === name)!;
const sizes = await readPackSizes(installed.folder);
const started = performance.now();
const fit = judgeFit({
  pack: name,
  digest: installed.summary.digest,
  provider: "cpu",
  sizes: await readPackSizes(installed.folder),
  memory: await machineMemory(),
  deviceFree: null,
});
const fitMs = Math.round(performance.now() - started);
const report: Record<string, unknown> = { fit, sizes, fitMs, before: measured() };
const runtime = await openCRuntime();
const pack = await openPack(installed, { name: "cpu", provider: null, threads: 2, runtime }, signal);
report["loaded"] = measured();
for (const ground of [false, true]) {
  const request = tinyRequest({ ground, groundBudgetSeconds: 600, maxTokens: 24 });
  for await (const event of answer(packsOf(pack), request, signal)) {
    if (event.type === "done") report[ground ? "tested" : "asked"] = measured();
  }
}
console.log(JSON.stringify(report));
process.exit(0);
