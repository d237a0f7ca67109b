import { mkdir, readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { floatToHalf } from "../../../../models/import/half-float.ts";
import { turnedHalves } from "../../../../models/import/half-matrix.ts";
import { writeMatrix } from "../../../../models/import/graph-weights.ts";
import type { TensorSource } from "../../../../models/import/tensor-source.ts";
import { WeightFiles } from "../../../../models/import/weight-files.ts";
import { TensorProto_DataType as DataType, type ModelProto } from "../../../../models/onnx/onnx-proto.ts";
import { parseGraph } from "../../../../models/pack/graph-references.ts";
import { readPack } from "../../../../models/pack/read-pack.ts";
import type { LanguageModel } from "../../../../models/runtime/backend.ts";
import { OrtLanguageModel } from "../../../../models/runtime/language-model.ts";
import { PromptReader } from "../../../../models/runtime/prompt-reader.ts";
import { runFailure } from "../../../../models/runtime/run-failure.ts";
import { OrtVisionModel } from "../../../../models/runtime/vision-model.ts";
import { openPreparedLanguage } from "../../../../models/runtime/open-prepared.ts";
import { PreparedWeights } from "../../../../models/runtime/prepared-weights.ts";
import { openCRuntime } from "../../../../models/runtime/runtime.ts";
import { writeTinyLlama } from "../half-model.ts";
import { tiny } from "../tiny-decoder.ts";
import { cpu, runtimes } from "../tiny-model.ts";
import {
  checkedPack,
  type ExpectedLanguage,
  fixtures,
  fixtureSource,
  floats,
  greedyTokens,
  importWholeModel,
  logitDifference,
  never,
  openLanguage,
  relativeDifference,
  runImport,
  sayGreedily,
  temporaryFolder,
} from "./imported-language.ts";

let work: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  work = await temporaryFolder();
});
afterEach(() => work.remove());

const weightBytes = async (folder: string) => {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".bin"));
  const sizes = await Promise.all(names.map(async (name) => (await stat(path.join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
};

const decoders = (await readdir(path.join(fixtures, "decoders"))).toSorted();

describe.each(decoders)("an import of %s with 16-bit weights", (name) => {
  it("gives HF transformers' logits and greedy tokens on the processor, in half the room", async () => {
    const source = await fixtureSource(path.join("decoders", name), work.path);
    const expected = JSON.parse(
      await readFile(path.join(source, "expected.json"), "utf8"),
    ) as ExpectedLanguage;
    const whole = await runImport({ source, targetFolder: work.path, name: "whole", precision: "float32" });
    const half = await runImport({ source, targetFolder: work.path, name: "half", precision: "half" });
    expect(await weightBytes(half)).toBe((await weightBytes(whole)) / 2);
    const model = await openLanguage(half);
    const difference = await logitDifference(model, expected);
    if (process.env["PARITY_FIGURES"] !== undefined) console.log(`${name} ${difference.toExponential(1)}`);
    expect(difference).toBeLessThan(1e-3);
    expect(await greedyTokens(model, expected)).toEqual(expected.greedy);
    await model.dispose();
  });
});

const wholeModels = ["llava", "gemma3", "multi-meditron"];

describe.each(wholeModels)("an import of the whole model %s with 16-bit weights", (name) => {
  it("gives HF transformers' image embeddings, logits and greedy tokens on the processor", async () => {
    const { source, pack: folder } = await importWholeModel(name, work.path, "half");
    const expected = JSON.parse(await readFile(path.join(source, "expected.json"), "utf8")) as Record<
      "pixels" | "embeddings" | "logits",
      string
    > &
      Record<"before" | "after" | "rows" | "greedy", number[]>;
    const vision = parseGraph(await readFile(path.join(folder, "vision.onnx")));
    expect(matrices(vision).filter(({ dataType }) => dataType === DataType.FLOAT16).length).toBeGreaterThan(
      5,
    );
    const pack = await readPack(folder, never);
    const language = await OrtLanguageModel.open(
      { ...pack.graphs, vocabulary: pack.vocabulary, contextLength: pack.summary.contextLength },
      cpu,
    );
    const { width, height, tokens } = pack.image;
    const encoder = await OrtVisionModel.open(
      { graph: pack.graphs.vision, width, height, tokens, hidden: language.hidden },
      cpu,
    );
    const values = await encoder.encode(floats(expected.pixels), 1, never);
    const worst = relativeDifference(values, floats(expected.embeddings));
    if (process.env["PARITY_FIGURES"] !== undefined)
      console.log(`${name} embeddings ${worst.toExponential(1)}`);
    expect(worst).toBeLessThan(1e-3);
    const reader = new PromptReader(language);
    const { logits } = await reader.read(
      {
        parts: [
          { type: "text", ids: expected.before },
          { type: "image", image: { tokens, hidden: language.hidden, values } },
          { type: "text", ids: expected.after },
        ],
        rows: expected.rows,
      },
      never,
    );
    const difference = relativeDifference(logits, floats(expected.logits));
    if (process.env["PARITY_FIGURES"] !== undefined) console.log(`${name} ${difference.toExponential(1)}`);
    expect(difference).toBeLessThan(1e-3);
    const count = expected.greedy.length;
    const said = await sayGreedily(reader, { logits, vocabulary: language.vocabulary, count });
    expect(said).toEqual(expected.greedy);
    await reader.dispose();
    await language.dispose();
    await encoder.dispose();
  });
});

/** Tensors that are multiplied, directly or turned before. */
function matrices({ graph }: ModelProto) {
  const names = new Set(
    graph!.node.flatMap(({ opType, input }) =>
      opType === "MatMul" || opType === "Transpose" ? [input.at(-1)] : [],
    ),
  );
  return graph!.initializer.filter(({ name }) => names.has(name));
}

describe("the decoder's graph with 16-bit weights", () => {
  it("keeps float32 at its edges and for norms, sums and activations; products, attention and its cache are in half", async () => {
    const source = await fixtureSource("decoders/gemma2", work.path);
    const folder = await runImport({ source, targetFolder: work.path, name: "half", precision: "half" });
    const model = parseGraph(await readFile(path.join(folder, "decoder.onnx")));
    const graph = model.graph!;
    const half = new Set<string>();
    for (const { name, dataType } of graph.initializer) if (dataType === DataType.FLOAT16) half.add(name);
    for (const { name, type } of [...graph.input, ...graph.output]) {
      const elemType = type?.value.case === "tensorType" ? type.value.value.elemType : 0;
      if (/^(?:past|present)_/.test(name)) {
        expect(elemType).toBe(DataType.FLOAT16);
        half.add(name);
      } else if (["inputs_embeds", "logits"].includes(name)) expect(elemType).toBe(DataType.FLOAT);
    }
    const takes: Record<string, Set<boolean>> = {};
    for (const { opType, input, output, attribute } of graph.node) {
      const to = attribute.find(({ name }) => name === "to")?.i;
      const given = input.filter((name) => half.has(name)).length > 0;
      (takes[opType] ??= new Set()).add(given);
      if (opType === "Cast" ? to === BigInt(DataType.FLOAT16) : given)
        for (const name of output) half.add(name);
    }
    for (const op of ["MatMul", "GroupQueryAttention", "Transpose"])
      expect([op, ...takes[op]!]).toEqual([op, true]);
    for (const op of ["SimplifiedLayerNormalization", "Gelu", "Mul", "Add", "Tanh", "Div"])
      expect([op, ...(takes[op] ?? [false])]).toEqual([op, false]);
    expect(half.has("logits")).toBe(false);
  });

  it("is made in the same bytes again", async () => {
    const source = await fixtureSource("decoders/llama2", work.path);
    const digests = [];
    for (const name of ["one", "other"]) {
      const folder = await runImport({ source, targetFolder: work.path, name, precision: "half" });
      digests.push((await checkedPack(folder)).opened.pack.files);
    }
    expect(digests[1]).toEqual(digests[0]);
  });

  it("is refused by name where it would run on the processor as it is", async () => {
    const source = await fixtureSource("decoders/llama2", work.path);
    const folder = await runImport({ source, targetFolder: work.path, name: "half", precision: "half" });
    const file = path.join(folder, "decoder.onnx");
    const decoder = { type: "file", path: file } as const;
    await expect(
      OrtLanguageModel.open({ embed: null, decoder, vocabulary: 320, contextLength: 128 }, cpu),
    ).rejects.toMatchObject({
      code: "provider-not-available",
      message: expect.stringContaining("on a graphics card only"),
    });
  });
});

describe("16-bit weights on the processor", () => {
  const ids = Array.from({ length: 40 }, (_, i) => (i * 13 + 5) % tiny.vocabulary);
  const logits = async (model: LanguageModel) => {
    const cache = model.createCache();
    const embeddings = await model.embed(ids, never);
    const [prompt, last] = [embeddings.subarray(0, -tiny.hidden), embeddings.subarray(-tiny.hidden)];
    const first = await model.forward({ cache, embeddings: prompt, rows: [0, 20, 38] }, never);
    const next = await model.forward({ cache, embeddings: last, rows: [0] }, never);
    await cache.dispose();
    await model.dispose();
    return Float32Array.of(...first, ...next);
  };

  it.each(runtimes)("give nearly the numbers of float32 through $name", async ({ open }) => {
    const runtime = await open();
    const of = async (precision: "half" | "float32") => {
      const source = await writeTinyLlama(path.join(work.path, precision), precision);
      return logits(await runtime.openLanguage(source, cpu));
    };
    const difference = relativeDifference(await of("half"), await of("float32"));
    expect(difference).toBeLessThan(3e-3);
    // Weights of float32 that no half precision holds.
    expect(difference).toBeGreaterThan(1e-5);
  });

  it("are prepared for the next loading, with the same numbers to the bit", async () => {
    const source = await writeTinyLlama(path.join(work.path, "half"), "half");
    const kept = path.join(work.path, "prepared");
    const weights = new PreparedWeights({ folder: kept, version: "1.30.0", processor: "one" });
    const prepared = { weights, digest: "ab".repeat(32), bytes: async () => 1000 };
    const runtime = await openCRuntime();
    const load = async () => logits(await openPreparedLanguage(runtime, { source, options: cpu }, prepared));
    const first = await load();
    await expect.poll(() => weights.find(prepared.digest), { timeout: 20_000 }).not.toBeNull();
    expect(await load()).toEqual(first);
    expect(await weights.find(prepared.digest)).not.toBeNull();
  });
});

describe("a matrix of 16 bits", () => {
  const columns = 40;
  const rows = 70;
  const source = (value: (i: number) => number, reads: string[] = []): TensorSource => ({
    tensors: new Map([["m", { name: "m", shape: [rows, columns], type: "BF16", offset: 0, bytes: 0 }]]),
    async readRows(name, { first, count }) {
      reads.push(name);
      return Float32Array.from({ length: count * columns }, (_, i) => value(first * columns + i));
    },
    close: async () => undefined,
  });
  const write = async (tensors: TensorSource, turned: boolean) => {
    // What an earlier try left in the same folder would be taken over.
    const folder = path.join(work.path, String(turned));
    await mkdir(folder);
    const files = await WeightFiles.open({ folder, stem: "weights", fileLimit: Infinity });
    const spec = {
      name: "m",
      sources: ["m"],
      shape: { rows, columns },
      precision: { type: "float16", turned } as const,
    };
    await writeMatrix({ tensors, files, signal: never }, spec);
    await files.close();
    const bytes = await readFile(path.join(folder, "weights-0.bin"));
    return new Uint16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  };
  const value = (i: number) => (i % 997) / 64 - 7;

  it("lies row by row, or turned column by column", async () => {
    const all = Array.from({ length: rows * columns }, (_, i) => floatToHalf(value(i)));
    expect([...(await write(source(value), false))]).toEqual(all);
    const turned = all.map((_, i) => all[(i % rows) * columns + Math.floor(i / rows)]);
    expect([...(await write(source(value), true))]).toEqual(turned);
  });

  it("is turned a few columns at a time where it is larger than what may be held", async () => {
    let reads = 0;
    async function* read() {
      reads += 1;
      for (let first = 0; first < rows; first += 33) {
        const count = Math.min(33, rows - first);
        yield Float32Array.from({ length: count * columns }, (_, i) => value(first * columns + i));
      }
    }
    const found: number[] = [];
    const sizes: number[] = [];
    const shape = { rows, columns, source: "m", held: 12 * rows + 5 };
    for await (const part of turnedHalves(read, shape)) {
      found.push(...part);
      sizes.push(part.length);
    }
    expect(reads).toBe(Math.ceil(columns / 12));
    expect(Math.max(...sizes)).toBe(12 * rows);
    expect(found).toEqual([...(await write(source(value), true))]);
  });

  it.each([
    ["the largest that half precision rounds down to its end", 65_519, null],
    ["the smallest that it has no number for", 65_520, "not-supported"],
    ["one that bfloat16 holds easily", -3e38, "not-supported"],
    ["what is no number", Number.NaN, "not-supported"],
  ])("with %s", async (_, extreme, code) => {
    for (const turned of [false, true]) {
      const writing = write(
        source((i) => (i === 1234 ? extreme : 0.5)),
        turned,
      );
      if (code === null) expect((await writing).some((bits) => bits === 0x7bff)).toBe(true);
      else {
        await expect(writing).rejects.toMatchObject({
          code,
          message: expect.stringMatching(/tensor m .*--weights 8bit or 4bit/),
        });
      }
    }
  });
});

describe("16-bit weights are refused by name", () => {
  it("with a cache of 8 bits, and nothing is left", async () => {
    const source = await fixtureSource("decoders/llama2", work.path);
    const targetFolder = path.join(work.path, "packs");
    const input = { source, targetFolder, name: "both", precision: "half", kvCache: "int8" } as const;
    await expect(runImport(input)).rejects.toMatchObject({
      code: "not-supported",
      message: expect.stringContaining("Choose one of both"),
    });
    expect(await readdir(targetFolder).catch(() => [])).toEqual([]);
  });

  it("for an export, which is used as it is", async () => {
    const [name] = await readdir(path.join(fixtures, "exports"));
    const source = path.join(fixtures, "exports", name!);
    const input = { source, targetFolder: work.path, name: "half", precision: "half" } as const;
    await expect(runImport(input)).rejects.toMatchObject({ code: "not-supported" });
  });

  it("where a card's driver does not compute with them", () => {
    const message = "Program MatMul requires f16 but the device does not support it.";
    expect(runFailure({ kind: "other", message })).toMatchObject({
      code: "provider-not-available",
      message: expect.stringContaining("does not compute with 16 bits"),
    });
  });
});
