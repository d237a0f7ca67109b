import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { importModel } from "../../../models/import/import-model.ts";
import type { PackPrecision } from "../../../models/import/pack-precision.ts";
import { openOurs } from "./ours.ts";
import { fixedText, negativeLogLikelihood, scoredTokens, windowsOf } from "./perplexity.ts";

/**
 * node scripts/run-ts.mjs test/bench/llm/choices.ts CHECKPOINT [--windows N] [--choices integer,mixed,bytes,compact]
 *
 * What each choice of weights costs: the checkpoint is imported with each and in float32, one after the other, and the
 * perplexity of text.txt in windows of 512 tokens (0: all of it) is held against float32's. One JSON object on stdout.
 */
const [checkpoint, ...flags] = process.argv.slice(2);
if (checkpoint === undefined) {
  console.error("usage: test/bench/llm/choices.ts CHECKPOINT [--windows N] [--choices integer,mixed,bytes]");
  process.exit(2);
}
const flag = (name: string, otherwise: string) => {
  const at = flags.indexOf(`--${name}`);
  return at < 0 ? otherwise : (flags[at + 1] ?? otherwise);
};
const windowCount = Number(flag("windows", "0"));
const choices = ["float32", ...flag("choices", "integer,mixed,bytes,compact").split(",")] as PackPrecision[];

/** Nats over all windows, and bytes of the weights. */
async function measure(precision: PackPrecision) {
  const folder = await mkdtemp(path.join(os.tmpdir(), "bench-choices-"));
  try {
    const input = { source: checkpoint!, targetFolder: folder, name: "choice", precision };
    for await (const event of importModel(input, new AbortController().signal))
      if (event.type === "done") break;
    const pack = path.join(folder, "choice");
    const engine = await openOurs(pack, { name: precision, threads: 2, level: null });
    const windows = windowsOf(engine.encode(await fixedText()), windowCount);
    let nats = 0;
    for (const [i, window] of windows.entries()) {
      nats += await negativeLogLikelihood(engine, window);
      console.error(`${precision}: window ${i + 1} of ${windows.length}`);
    }
    await engine.dispose();
    const weights = (await readdir(pack)).filter((name) => name.startsWith("weights"));
    const sizes = await Promise.all(weights.map(async (name) => (await stat(path.join(pack, name))).size));
    return {
      tokens: windows.length * scoredTokens,
      nats,
      bytes: sizes.reduce((sum, size) => sum + size, 0),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const whole = await measure("float32");
const table: Record<string, object> = {};
for (const precision of choices) {
  const { tokens, nats, bytes } = precision === "float32" ? whole : await measure(precision);
  const perplexity = Math.exp(nats / tokens);
  const cost_percent = 100 * (Math.exp((nats - whole.nats) / tokens) - 1);
  table[precision] = { tokens, bytes, perplexity, cost_percent };
  console.error(JSON.stringify({ precision, ...table[precision] }));
}
console.log(JSON.stringify({ checkpoint: path.basename(checkpoint), choices: table }, null, 2));
