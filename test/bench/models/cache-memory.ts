import { spawnSync } from "node:child_process";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { buildDecoderGraphs } from "../../../models/import/decoder-graph.ts";
import { type ExternalData, modelBytes } from "../../../models/import/graph-builder.ts";
import { hfDecoderConfig } from "../../../models/import/hf-decoder.ts";
import { precisionRules } from "../../../models/import/pack-precision.ts";
import { quantiseCache } from "../../../models/import/quantise-cache.ts";
import type { TensorInfo, TensorSource } from "../../../models/import/tensor-source.ts";
import type { WeightFiles } from "../../../models/import/weight-files.ts";
import { peakMemory } from "../app/memory.ts";
import { decoderTensors, type ShapeName, shapes } from "./make-checkpoint.ts";

/**
 * node scripts/run-ts.mjs test/bench/models/cache-memory.ts [--shape meditron-7b|meditron-70b] [--layers 2,6]
 *
 * The most memory (VmHWM) that measuring an 8-bit cache takes, for so many layers each, in a process of its own. The
 * 4-bit weights lie in files as an import leaves them, but are made up: converting so many takes hours and is measured
 * by run.ts. The texts are those of an import, with the embedded model's tokenizer. One JSON object on stdout.
 */
const flags = process.argv.slice(2);
const flag = (name: string, otherwise: string): string => {
  const at = flags.indexOf(`--${name}`);
  return at < 0 ? otherwise : (flags[at + 1] ?? otherwise);
};
const shape = flag("shape", "meditron-7b") as ShapeName;
const never = new AbortController().signal;
/** Of a weight file, as packs have them; a larger tensor has one of its own. */
const fileLimit = 44_000_000;

const own = flag("folder", "");
if (own === "") await measureAll();
else console.log(JSON.stringify(await measure(own, Number(flag("layers", "")))));

async function measureAll(): Promise<void> {
  const figures: object[] = [];
  for (const layers of flag("layers", "2,6").split(",")) {
    const folder = await mkdtemp(path.join(tmpdir(), "bench-cache-"));
    try {
      await writeModel(folder, Number(layers));
      const given = ["--shape", shape, "--layers", layers, "--folder", folder];
      const child = spawnSync(process.execPath, [process.argv[1] as string, ...given], { encoding: "utf8" });
      if (child.status !== 0) throw new Error(child.stderr);
      figures.push(JSON.parse(child.stdout) as object);
      console.error(child.stdout.trim());
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  console.log(JSON.stringify({ shape, figures }, null, 2));
}

function configOf(layers: number) {
  return hfDecoderConfig({
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    hidden_act: "silu",
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    tie_word_embeddings: false,
    ...shapes[shape].decoder,
    // As many as the tokenizer has.
    vocab_size: 49_152,
    num_hidden_layers: layers,
  });
}

async function measure(folder: string, layers: number): Promise<object> {
  const pack = fileURLToPath(new URL("../../../models/packs/smollm2-135m-instruct", import.meta.url));
  const read = async (name: string) => JSON.parse(await readFile(path.join(pack, name), "utf8")) as object;
  const tokenizer = { json: await read("tokenizer.json"), config: await read("tokenizer_config.json") };
  const before_mib = await peakMemory(process.pid);
  for await (const _ of quantiseCache({ config: configOf(layers), tokenizer }, { folder }, never)) continue;
  const { user, system } = process.cpuUsage();
  const processor_seconds = Math.round((user + system) / 1e6);
  return { layers, before_mib, peak_mib: await peakMemory(process.pid), processor_seconds };
}

async function writeModel(folder: string, layers: number): Promise<void> {
  const config = configOf(layers);
  const decoder = { ...shapes[shape].decoder, num_hidden_layers: layers, vocab_size: config.vocabulary };
  const tensors = new Map(
    decoderTensors(decoder).map(({ name, shape: sizes }): [string, TensorInfo] => [
      name,
      { name, shape: sizes, type: "BF16", offset: 0, bytes: 0 },
    ]),
  );
  const source: TensorSource = {
    tensors,
    readRows: async (name, { count }) =>
      new Float32Array(count * (tensors.get(name)?.shape.at(-1) ?? 0)).fill(1),
    close: async () => undefined,
  };
  const { files, sizes } = readyFiles();
  const writer = { tensors: source, files, signal: never };
  const precision = precisionRules("integer", layers).language;
  const graphs = await buildDecoderGraphs({ config, writer, precision });
  for (const [name, bytes] of sizes) await fill(path.join(folder, name), bytes);
  await writeFile(path.join(folder, "embed.onnx"), modelBytes(graphs.embed));
  await writeFile(path.join(folder, "decoder.onnx"), modelBytes(graphs.decoder));
}

/** Says of every tensor that it is written already, so that none is converted. */
function readyFiles(): { readonly files: WeightFiles; readonly sizes: ReadonlyMap<string, number> } {
  const sizes = new Map<string, number>();
  const place = (length: number): ExternalData => {
    const last = `weights-${sizes.size - 1}.bin`;
    const end = Math.ceil((sizes.get(last) ?? fileLimit) / 64) * 64;
    const [location, offset] = end + length > fileLimit ? [`weights-${sizes.size}.bin`, 0] : [last, end];
    sizes.set(location, offset + length);
    return { location, offset, length };
  };
  const files = { takeReady: (lengths: readonly number[]) => lengths.map(place) };
  return { files: files as unknown as WeightFiles, sizes };
}

/** With bytes that are small numbers, whatever they stand for: weights, scales, halves. */
async function fill(file: string, bytes: number): Promise<void> {
  const part = Uint8Array.from({ length: 65_521 }, (_, i) => ((i * 2_654_435_761) >>> 9) & 0x1f);
  const handle = await open(file, "w");
  try {
    for (let left = bytes; left > 0; left -= part.length) await handle.write(part.subarray(0, left));
  } finally {
    await handle.close();
  }
}
