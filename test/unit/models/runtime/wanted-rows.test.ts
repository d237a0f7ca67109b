import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { PackPrecision } from "../../../../models/import/pack-precision.ts";
import type { GraphProto } from "../../../../models/onnx/onnx-proto.ts";
import { parseGraph } from "../../../../models/pack/graph-references.ts";
import { OrtLanguageModel } from "../../../../models/runtime/language-model.ts";
import { computeWantedRowsOnly } from "../../../../models/runtime/wanted-rows.ts";
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

const base = fileURLToPath(new URL("../../../../models/packs/smollm2-135m-instruct", import.meta.url));
const own = (decoder: Uint8Array) => decoder;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

async function imported(name: string, precision: PackPrecision = "float32"): Promise<string> {
  const source = await fixtureSource(path.join("decoders", name), folder.path);
  return runImport({ source, targetFolder: path.join(folder.path, "packs"), name: "pack", precision });
}

async function decoderOf(pack: string): Promise<GraphProto> {
  return parseGraph(await readFile(path.join(pack, "decoder.onnx"))).graph!;
}

/** What the graph's only Gathers of wanted rows take, by name. */
function gathered({ node }: GraphProto): string[] {
  return node.filter(({ input }) => input.includes("logit_rows")).map(({ input }) => input[0]!);
}

/** Logits of the wanted rows of a prompt of 40 tokens, a table of them for each. */
async function logits(
  pack: string,
  change: (decoder: Uint8Array) => Uint8Array,
  wanted: readonly (readonly number[])[],
): Promise<Float32Array[]> {
  const { opened, graphs } = await checkedPack(pack);
  const { vocabulary, context_length: contextLength } = opened.pack.language!;
  if (graphs.decoder.type !== "bytes") throw new Error("the graph is a file");
  const decoder = { ...graphs.decoder, bytes: change(graphs.decoder.bytes) };
  const model = await OrtLanguageModel.open({ ...graphs, decoder, vocabulary, contextLength }, cpu);
  const ids = Array.from({ length: 40 }, (_, i) => (i * 7 + 3) % vocabulary);
  const embeddings = await model.embed(ids, never);
  const found: Float32Array[] = [];
  for (const rows of wanted) {
    const cache = model.createCache();
    found.push(await model.forward({ cache, embeddings, rows }, never));
    await cache.dispose();
  }
  await model.dispose();
  return found;
}

describe("the last layer", () => {
  test.each(["apertus", "gemma2", "gemma3", "llama3", "mistral", "olmo2", "phi3", "qwen2", "qwen3"])(
    "of %s ends with the wanted rows, and their logits are the same",
    async (name) => {
      const pack = await imported(name);
      const graph = await decoderOf(pack);
      expect(gathered(graph)).toEqual(["head/rows"]);
      computeWantedRowsOnly(graph);
      const last = graph.node.findLast(({ opType }) => opType === "GroupQueryAttention")!;
      expect(gathered(graph)).toHaveLength(2);
      expect(gathered(graph)).toContain(last.output[0]);
      const wanted = [[3, 17, 39], [39]];
      const [few, written] = [await logits(pack, own, wanted), await logits(pack, asWritten, wanted)];
      for (const [i, values] of few.entries()) {
        expect(relativeDifference(values, written[i]!)).toBeLessThan(1e-5);
      }
    },
  );

  test("gives a row the same logits alone and among others, with weights of four bits too", async () => {
    const [several, one] = await logits(base, own, [[3, 17, 39], [39]]);
    expect(several!.subarray(2 * one!.length)).toEqual(one);
  });

  test("stays whole where something follows the attention that looks at other tokens", async () => {
    const graph = await decoderOf(await imported("llama3"));
    graph.node.find(
      ({ name }) => name.endsWith("/mlp/product") && name.includes(`/${lastLayer(graph)}/`),
    )!.opType = "CumSum";
    const before = structuredClone(graph.node);
    computeWantedRowsOnly(graph);
    expect(graph.node).toEqual(before);
  });

  test("stays whole where all rows are given out", async () => {
    const graph = await decoderOf(await imported("llama3"));
    const { input } = graph.node.find(({ name }) => name === "head/rows")!;
    graph.output.push({ ...graph.output[0]!, name: input[0]! });
    const before = structuredClone(graph.node);
    computeWantedRowsOnly(graph);
    expect(graph.node).toEqual(before);
  });

  test("stays as it is in a graph without a head", async () => {
    const graph = await decoderOf(await imported("llama3"));
    graph.node = graph.node.filter(({ name }) => !name.startsWith("head/"));
    const before = structuredClone(graph.node);
    computeWantedRowsOnly(graph);
    expect(graph.node).toEqual(before);
  });
});

function lastLayer({ node }: GraphProto): number {
  return node.filter(({ opType }) => opType === "GroupQueryAttention").length - 1;
}
