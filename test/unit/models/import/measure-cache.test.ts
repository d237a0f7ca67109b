import { mkdir, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { baseConfigs } from "../../../../models/import/base-configs.ts";
import type { Checkpoint } from "../../../../models/import/checkpoint.ts";
import { openHfCheckpoint } from "../../../../models/import/hf-checkpoint.ts";
import { importModel } from "../../../../models/import/import-model.ts";
import { inBytes } from "../../../../models/import/int8-cache.ts";
import { cacheTexts, quantiseCache } from "../../../../models/import/quantise-cache.ts";
import type { PackPrecision } from "../../../../models/import/pack-precision.ts";
import { writeContents } from "../../../../models/import/write-contents.ts";
import type { TensorProto } from "../../../../models/onnx/onnx-proto.ts";
import { parseGraph } from "../../../../models/pack/graph-references.ts";
import type { Engine, GraphSource } from "../../../../models/runtime/engine.ts";
import { OrtLanguageModel } from "../../../../models/runtime/language-model.ts";
import { cApi } from "../../../../models/runtime/ort/engine.ts";
import { TextTokenizer } from "../../../../models/text/tokenizer.ts";
import { makeCheckpoint } from "../../../bench/models/make-checkpoint.ts";
import { asWritten } from "../as-written.ts";
import { cpu } from "../tiny-model.ts";
import { wholeCacheScales } from "../whole-cache-scales.ts";
import { fixtureSource, never, temporaryFolder } from "./imported-language.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

interface Written {
  readonly checkpoint: Checkpoint;
  /** Graphs and weights, whose cache is float32. */
  readonly pack: string;
}

async function write(source: string, precision: PackPrecision): Promise<Written> {
  const bases = path.join(source, "base-configs.json");
  const checkpoint = await openHfCheckpoint(
    source,
    await baseConfigs((await readdir(source)).includes("base-configs.json") ? bases : null),
  );
  const pack = path.join(folder.path, "pack");
  await mkdir(pack);
  await writeContents(checkpoint, { name: "pack", precision, folder: pack, signal: never });
  await checkpoint.close();
  return { checkpoint, pack };
}

/** A checkpoint of twelve narrow layers, whose texts are longer than one run. */
async function narrow(layers = 12): Promise<Written> {
  const source = path.join(folder.path, "source");
  await makeCheckpoint(source, { shape: "narrow", layers, words: null });
  return write(source, "integer");
}

/** The scales that stand in a decoder, by name. */
function scalesIn(decoder: Uint8Array): Map<string, Float32Array> {
  const scales = parseGraph(decoder).graph!.initializer.filter(({ name }) => name.startsWith("cache_scale_"));
  return new Map(scales.map((tensor) => [tensor.name, floatsOf(tensor)]));
}

function floatsOf({ rawData }: TensorProto): Float32Array {
  return new Float32Array(new Uint8Array(rawData).buffer);
}

/** What the decoder becomes where the whole model is in memory. */
async function changedAtOnce({ checkpoint, pack }: Written): Promise<Uint8Array> {
  const { config, tokenizer } = checkpoint;
  const read = (name: string) => readFile(path.join(pack, name));
  const source = (bytes: Uint8Array) => ({ type: "bytes", bytes, dataFolder: pack }) as const;
  const decoder = await read("decoder.onnx");
  const { vocabulary, contextLength } = config;
  const graphs = { embed: source(await read("embed.onnx")), decoder: source(asWritten(decoder)) };
  const model = await OrtLanguageModel.open({ ...graphs, vocabulary, contextLength }, cpu);
  const all = cacheTexts(new TextTokenizer(tokenizer.json, tokenizer.config), tokenizer.config);
  const texts = all.map((ids) => ids.slice(0, contextLength - 1));
  const { layers, kvHeads, headSize, rotary } = config;
  const heads = { layers, heads: kvHeads, headSize, turned: rotary.width };
  const scales = await wholeCacheScales(model, { ...heads, texts });
  await model.dispose();
  return inBytes(decoder, scales, heads);
}

async function measure({ checkpoint, pack }: Written, engine: Engine = cApi): Promise<number[]> {
  const told: number[] = [];
  for await (const fraction of quantiseCache(checkpoint, { folder: pack, engine }, never))
    told.push(fraction);
  return told;
}

/** Largest difference of two scales of one channel, relative to the larger one. */
function difference(found: Map<string, Float32Array>, right: Map<string, Float32Array>): number {
  expect([...found.keys()]).toEqual([...right.keys()]);
  let largest = 0;
  for (const [name, values] of right) {
    const own = found.get(name)!;
    expect(own).toHaveLength(values.length);
    for (const [i, value] of values.entries()) {
      largest = Math.max(largest, Math.abs(own[i]! - value) / Math.max(own[i]!, value));
    }
  }
  return largest;
}

const decoders = [
  "apertus",
  "gemma2",
  "gemma3",
  "llama3",
  "llama-yarn",
  "mistral",
  "olmo2",
  "phi3",
  "phi3-longrope",
  "qwen2",
  "qwen2-window",
  "qwen3",
].map((name) => path.join("decoders", name));
const wholeModels = ["gemma3", "multi-meditron"].map((name) => path.join("whole-models", name));

describe.each([...decoders, ...wholeModels])("the cache of %s, measured layer by layer", (name) => {
  it.each(["float32", "integer"] as const)("has the scales of the whole model (%s)", async (precision) => {
    const written = await write(await fixtureSource(name, folder.path), precision);
    const right = await changedAtOnce(written);
    const { layers } = written.checkpoint.config;
    expect(await measure(written)).toEqual(Array.from({ length: layers }, (_, at) => (at + 1) / layers));
    const found = await readFile(path.join(written.pack, "decoder.onnx"));
    const scales = scalesIn(found);
    expect(scales.size).toBe(2 * layers);
    expect(difference(scales, scalesIn(right))).toBeLessThan(1e-6);
    // All else is what it was.
    const names = (graph: Uint8Array) => parseGraph(graph).graph!.node.map((node) => node.name);
    expect(names(found)).toEqual(names(right));
  });
});

/** Keeps account of what is open, and of the layers whose tensors each session reads. */
function counting() {
  const account = { open: 0, most: 0, layers: [] as number[][] };
  const engine: Engine = {
    ...cApi,
    async open(source, options) {
      const session = await cApi.open(source, options);
      account.open += 1;
      account.most = Math.max(account.most, account.open);
      account.layers.push(layersOf(source));
      return new Proxy(session, {
        get(target, property) {
          if (property === "dispose") {
            return async () => {
              await target.dispose();
              account.open -= 1;
            };
          }
          const value: unknown = Reflect.get(target, property, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    },
  };
  return { account, engine };
}

function layersOf(source: GraphSource): number[] {
  if (source.type !== "bytes") throw new Error("the graph is a file");
  const numbers = parseGraph(source.bytes).graph!.initializer.flatMap(({ name }) => {
    const [, layer] = /^layers\/(\d+)\//.exec(name) ?? [];
    return layer === undefined ? [] : [Number(layer)];
  });
  return [...new Set(numbers)];
}

describe("measuring the cache of a model with many layers", () => {
  it("has one layer open at a time, and its weights alone", async () => {
    const written = await narrow();
    const { account, engine } = counting();
    await measure(written, engine);
    expect(account.most).toBe(1);
    expect(account.open).toBe(0);
    // The table of tokens, then each layer with the cache as it is and as it will be.
    const layers = Array.from({ length: 12 }, (_, layer) => layer);
    expect(account.layers).toEqual([[], ...layers.flatMap((layer) => [[layer], [layer]])]);
  });

  it("gives the scales of the whole model where a text takes several runs", async () => {
    const written = await narrow();
    const right = await changedAtOnce(written);
    await measure(written);
    const found = await readFile(path.join(written.pack, "decoder.onnx"));
    expect(difference(scalesIn(found), scalesIn(right))).toBeLessThan(1e-6);
  });

  it("stops between two layers, closes what is open and leaves the decoder as it was", async () => {
    const written = await narrow(3);
    const before = await readFile(path.join(written.pack, "decoder.onnx"));
    const { account, engine } = counting();
    const controller = new AbortController();
    const told: number[] = [];
    const work = async () => {
      const fractions = quantiseCache(
        written.checkpoint,
        { folder: written.pack, engine },
        controller.signal,
      );
      for await (const fraction of fractions) {
        told.push(fraction);
        controller.abort();
      }
    };
    await expect(work()).rejects.toMatchObject({ code: "cancelled" });
    expect(told).toEqual([1 / 3]);
    expect(account.open).toBe(0);
    expect(account.layers).toEqual([[], [0], [0]]);
    expect(await readFile(path.join(written.pack, "decoder.onnx"))).toEqual(before);
  });

  it("names a model whose attention cannot, and closes what is open", async () => {
    const written = await narrow(2);
    const { account, engine } = counting();
    const without: Engine = {
      ...engine,
      open(source, options) {
        if (source.type === "bytes" && Buffer.from(source.bytes).includes("kv_cache_bit_width")) {
          throw new Error("the kernel does not know the attribute");
        }
        return engine.open(source, options);
      },
    };
    await expect(measure(written, without)).rejects.toMatchObject({ code: "not-supported" });
    expect(account.open).toBe(0);
  });
});

describe("an import with a cache of 8 bits", () => {
  const imported = (source: string) => ({
    source,
    targetFolder: path.join(folder.path, "packs"),
    name: "bytes",
    kvCache: "int8" as const,
  });

  it("tells of the layers that were measured, behind the weights", async () => {
    const source = await fixtureSource(path.join("decoders", "gemma3"), folder.path);
    const steps: [string, number][] = [];
    for await (const event of importModel(imported(source), never)) {
      if (event.type === "progress") steps.push([event.stage, event.fraction]);
    }
    const measured = steps.filter(([stage]) => stage === "cache");
    expect(measured.map(([, fraction]) => fraction)).toEqual([1 / 3, 2 / 3, 1]);
    expect(steps.slice(-measured.length)).toEqual(measured);
    expect(steps.at(-measured.length - 1)).toEqual(["weights", 1]);
  });

  it("leaves nothing behind when it is cancelled while the cache is measured", async () => {
    const source = path.join(folder.path, "source");
    await makeCheckpoint(source, { shape: "narrow", layers: 4, words: null });
    const controller = new AbortController();
    let seen = 0;
    const work = async () => {
      for await (const event of importModel(imported(source), controller.signal)) {
        if (event.type !== "progress" || event.stage !== "cache") continue;
        seen += 1;
        controller.abort();
      }
    };
    await expect(work()).rejects.toMatchObject({ code: "cancelled" });
    expect(seen).toBeGreaterThan(0);
    expect(await readdir(path.join(folder.path, "packs"))).toEqual([]);
  });

  it("is made of a whole model with images", async () => {
    const source = await fixtureSource(path.join("whole-models", "gemma3"), folder.path);
    for await (const event of importModel(imported(source), never)) {
      if (event.type === "done") expect(event.pack.name).toBe("bytes");
    }
    const decoder = await readFile(path.join(folder.path, "packs", "bytes", "decoder.onnx"));
    expect(scalesIn(decoder).size).toBeGreaterThan(0);
    const inputs = parseGraph(decoder).graph!.input.map(({ name }) => name);
    expect(inputs).toContain("image_blocks");
  });
});
