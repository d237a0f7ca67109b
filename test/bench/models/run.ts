import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, statfs } from "node:fs/promises";
import { cpus, freemem, tmpdir } from "node:os";
import path from "node:path";
import { checkpointBytes, type ShapeName, shapes } from "./make-checkpoint.ts";
import { runStep, type Step } from "./steps.ts";

/**
 * node scripts/run-ts.mjs test/bench/models/run.ts [--shape meditron-7b|meditron-70b|multimeditron-8b] [--layers 32] [--words N]
 *   [--kv-cache int8] [--folder DIR] [--threads 2] [--grid]
 *
 * Makes a checkpoint of this shape with random weights (`--grid`: on a grid of 4 bits, whose import is short), imports
 * it, loads the pack twice, the second time as prepared by the first, and says some tokens; each part in a process of its
 * own. Looks first whether the disk has room, and removes all it made. One JSON object on stdout: the
 * most memory of the import, memory when loaded, tokens a second, and what each part took.
 */
const flags = process.argv.slice(2);
const flag = (name: string, otherwise: string): string => {
  const at = flags.indexOf(`--${name}`);
  return at < 0 ? otherwise : (flags[at + 1] ?? otherwise);
};

const own = flag("step", "");
if (own !== "") console.log(JSON.stringify(await runStep(JSON.parse(own) as Step)));
else await measure();

async function measure(): Promise<void> {
  const stop = new AbortController();
  const inProcess = (step: Step) => runPart(step, stop.signal);
  const layers = Number(flag("layers", "32"));
  const threads = Number(flag("threads", "2"));
  const shape = flag("shape", "meditron-7b") as ShapeName;
  const words = flag("words", "");
  const request = {
    shape,
    layers,
    words: words === "" ? null : Number(words),
    grid: flags.includes("--grid"),
  };
  if (!Object.hasOwn(shapes, shape)) throw new Error(`--shape takes ${Object.keys(shapes).join(" or ")}.`);
  const kvCache = flag("kv-cache", "float32");
  if (kvCache !== "int8" && kvCache !== "float32") throw new Error("--kv-cache takes int8 or float32.");
  const parent = flag("folder", tmpdir());
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(path.join(parent, "bench-models-"));
  // Ends the part at work, which would go on writing; then all is removed as at any end.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  try {
    const { bavail, bsize } = await statfs(folder);
    // The pack takes a third of the checkpoint and lies beside it for a while; prepared, it takes less than the half again.
    const needed = checkpointBytes(request) * 1.4;
    if (bavail * bsize < needed) {
      throw new Error(
        `About ${Math.round(needed / 1e9)} GB are needed, ${Math.round((bavail * bsize) / 1e9)} are free.`,
      );
    }
    const checkpoint = path.join(folder, "checkpoint");
    const packs = path.join(folder, "packs");
    const make = await inProcess({ step: "make", folder: checkpoint, request });
    const imported = await inProcess({ step: "import", folder: checkpoint, packs, kvCache });
    // Room for the pack in the memory that the system keeps of files.
    await rm(checkpoint, { recursive: true });
    const loading = {
      step: "run",
      pack: path.join(packs, "shape"),
      threads,
      prepared: path.join(folder, "prepared"),
    } as const;
    const run = await inProcess(loading);
    // As every start after the first: the decoder lies prepared for this machine.
    const again = await inProcess(loading);
    const machine = { processor: cpus()[0]?.model, processors: cpus().length, free_mib: freemem() / 2 ** 20 };
    const summary = {
      import_peak_mib: imported["peak_mib"],
      loaded_mib: run["loaded_mib"],
      loaded_again_mib: again["loaded_mib"],
      decode_tokens_per_s: run["decode_tokens_per_s"],
    };
    console.log(
      JSON.stringify(
        { ...request, kvCache, threads, ...summary, machine, make, import: imported, run, again },
        null,
        2,
      ),
    );
  } catch (thrown) {
    if (!stop.signal.aborted) throw thrown;
    process.exitCode = 130;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runPart(step: Step, signal: AbortSignal): Promise<Readonly<Record<string, number>>> {
  const child = spawn(process.execPath, [process.argv[1] as string, "--step", JSON.stringify(step)], {
    stdio: ["ignore", "pipe", "inherit"],
    signal,
    killSignal: "SIGKILL",
  });
  let text = "";
  child.stdout.on("data", (part: Buffer) => (text += part.toString()));
  const failures: Error[] = [];
  child.on("error", (failure) => failures.push(failure));
  // Nothing is removed while it may still write.
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  if (signal.aborted) throw new Error("Stopped.");
  if (code !== 0) throw failures[0] ?? new Error(`The part ${step.step} ended with ${code}.`);
  const figures = JSON.parse(text) as Record<string, number>;
  console.error(`${step.step} ${text.trim()}`);
  return figures;
}
