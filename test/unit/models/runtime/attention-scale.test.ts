import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { NodeProto } from "../../../../models/onnx/onnx-proto.ts";
import { parseGraph } from "../../../../models/pack/graph-references.ts";
import { moveScaleIntoRotary } from "../../../../models/runtime/attention-scale.ts";
import { OrtLanguageModel } from "../../../../models/runtime/language-model.ts";
import { onProcessor } from "../../../../models/runtime/processor-graph.ts";
import { asWritten } from "../as-written.ts";
import {
  checkedPack,
  fixtureSource,
  never,
  relativeDifference,
  runImport,
  temporaryFolder,
} from "../import/imported-language.ts";
import { cpu } from "../tiny-model.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

async function imported(name: string, kvCache: "float32" | "int8" = "float32"): Promise<string> {
  const source = await fixtureSource(path.join("decoders", name), folder.path);
  const targetFolder = path.join(folder.path, "packs");
  return runImport({ source, targetFolder, name: "pack", precision: "float32", kvCache });
}

function attentions(graph: Uint8Array): NodeProto[] {
  return parseGraph(graph).graph!.node.filter(({ opType }) => opType === "GroupQueryAttention");
}

function scales(graph: Uint8Array): number[] {
  const all = attentions(graph).map(({ attribute }) => attribute.find(({ name }) => name === "scale")!.f);
  return [...new Set(all)];
}

/** The decoder as the processor gets it. */
function changed(bytes: Uint8Array): Uint8Array {
  const graph = onProcessor({ type: "bytes", bytes, dataFolder: null }, cpu);
  if (graph.type !== "bytes") throw new Error("the graph is a file");
  return graph.bytes;
}

/** Logits of a prompt and of ten steps behind it, one token each. */
async function logits(pack: string, change: (decoder: Uint8Array) => Uint8Array): Promise<number[]> {
  const { opened, graphs } = await checkedPack(pack);
  const { vocabulary, context_length: contextLength } = opened.pack.language!;
  if (graphs.decoder.type !== "bytes") throw new Error("the graph is a file");
  const decoder = { ...graphs.decoder, bytes: change(graphs.decoder.bytes) };
  const model = await OrtLanguageModel.open({ ...graphs, decoder, vocabulary, contextLength }, cpu);
  const cache = model.createCache();
  const found: number[] = [];
  const prompt = Array.from({ length: 20 }, (_, i) => (i * 7 + 3) % vocabulary);
  for (const ids of [prompt, ...Array.from({ length: 10 }, (_, i) => [(i * 11 + 5) % vocabulary])]) {
    const embeddings = await model.embed(ids, never);
    found.push(...(await model.forward({ cache, embeddings, rows: [ids.length - 1] }, never)));
  }
  await cache.dispose();
  await model.dispose();
  return found;
}

describe("the factor of attention's scores", () => {
  test.each(["apertus", "gemma2", "gemma3", "llama3", "llama-yarn", "olmo2", "qwen2", "qwen3"])(
    "lies in the rotary tables of %s, and nothing else changes",
    async (name) => {
      const pack = await imported(name);
      const decoder = await readFile(path.join(pack, "decoder.onnx"));
      expect(scales(decoder)).not.toEqual([1]);
      expect(scales(changed(decoder))).toEqual([1]);
      const [moved, written] = [await logits(pack, (own) => own), await logits(pack, asWritten)];
      expect(relativeDifference(moved, written)).toBeLessThan(1e-5);
    },
  );

  test("goes into the scales of keys that are kept as integers", async () => {
    const pack = await imported("llama3", "int8");
    expect(scales(changed(await readFile(path.join(pack, "decoder.onnx"))))).toEqual([1]);
    const [moved, written] = [await logits(pack, (own) => own), await logits(pack, asWritten)];
    // A key that lies between two integers may be rounded to the other one.
    expect(relativeDifference(moved, written)).toBeLessThan(1e-2);
  });

  test("stays where positions turn a part of each head only", async () => {
    const decoder = await readFile(path.join(await imported("phi3"), "decoder.onnx"));
    expect(scales(changed(decoder))).toEqual(scales(decoder));
    expect(scales(decoder)).not.toEqual([1]);
  });

  test("stays where layers that share their tables have different ones", async () => {
    const { graph } = parseGraph(await readFile(path.join(await imported("llama3"), "decoder.onnx")));
    const scaleOf = (node: NodeProto) => node.attribute.find(({ name }) => name === "scale")!;
    const nodes = graph!.node.filter(({ opType }) => opType === "GroupQueryAttention");
    scaleOf(nodes[0]!).f = 0.5;
    const before = nodes.map((node) => scaleOf(node).f);
    moveScaleIntoRotary(graph!);
    expect(nodes.map((node) => scaleOf(node).f)).toEqual(before);
  });

  test("stays where the tables come out of themselves, as in no graph of the app", async () => {
    const { graph } = parseGraph(await readFile(path.join(await imported("llama3"), "decoder.onnx")));
    for (const node of graph!.node) {
      if (node.output.some((name) => name.startsWith("rotary/"))) node.input = [...node.output];
    }
    const before = graph!.node.length;
    moveScaleIntoRotary(graph!);
    expect(graph!.node).toHaveLength(before);
  });
});
