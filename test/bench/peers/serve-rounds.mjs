// How an engine answers `meditron models bench` (host/cli/peers.ts): one JSON object a line on standard output. First
// { ready } with what it says of itself, or { missing } where it is not installed, or { error }; then, for each line
// "round" on standard input, { figures }.
import { createInterface } from "node:readline";

/** @typedef {{ model: string, threads: number, contexts: number[], prompt: number, decoded: number }} Task */

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

/**
 * `open` takes the task and gives `{ details, prefill(ids), decode(ids, steps) }`: milliseconds to read the tokens, and
 * milliseconds of each of `steps` tokens said behind them.
 */
export async function serveRounds(open) {
  const task = JSON.parse(process.argv[2]);
  const ids = (count) => Array.from({ length: count }, (_, i) => ((i * 7919 + 101) % 250) + 10);
  let engine;
  try {
    engine = await open(task);
  } catch (error) {
    const missing = error?.code === "ERR_MODULE_NOT_FOUND";
    say(
      missing ? { missing: `${error.message.split("\n")[0]}` } : { error: String(error?.message ?? error) },
    );
    process.exit(1);
  }
  say({ ready: engine.details });
  for await (const line of createInterface({ input: process.stdin })) {
    if (line !== "round") continue;
    try {
      const figures = {};
      if (task.prompt > 0)
        figures[`prefill@${task.prompt}`] = (1000 * task.prompt) / (await engine.prefill(ids(task.prompt)));
      for (const context of task.contexts) {
        const times = (await engine.decode(ids(context), task.decoded)).toSorted((a, b) => a - b);
        figures[`decode@${context}`] = 1000 / times[times.length >> 1];
      }
      figures.rss_mb = Math.round(process.memoryUsage().rss / 1e6);
      say({ figures });
    } catch (error) {
      say({ error: String(error?.message ?? error) });
    }
  }
  process.exit(0);
}
