import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findLavapipe, useLavapipe } from "../../../conformance/lavapipe.ts";
import { modelBytes } from "../../../../models/import/graph-builder.ts";
import { keepCacheInHalf } from "../../../../models/import/half-cache.ts";
import { parseGraph } from "../../../../models/pack/graph-references.ts";
import { readPack } from "../../../../models/pack/read-pack.ts";
import type { LanguageModel } from "../../../../models/runtime/backend.ts";
import { ortEnvironment } from "../../../../models/runtime/ort/environment.ts";
import { probe, probeDecoder, probeEmbeddings } from "../../../../models/runtime/probe-graph.ts";
import { candidatesFor } from "../../../../models/runtime/provider-candidates.ts";
import { ProviderChoice } from "../../../../models/runtime/providers.ts";
import { openCRuntime, type Runtime } from "../../../../models/runtime/runtime.ts";
import { rounded, writeTinyLlama } from "../half-model.ts";
import {
  checkedPack,
  type ExpectedLanguage,
  fixtureSource,
  floats,
  importWholeModel,
  logitsOf,
  relativeDifference,
  runImport,
} from "../import/imported-language.ts";
import { tiny } from "../tiny-decoder.ts";
import { cpu, largestDifference, never, tinySource } from "../tiny-model.ts";
import { tinyVision } from "../tiny-pack.ts";
import { languageModelConformance } from "./language-conformance.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** A software driver on a busy machine: each shader is compiled with its first use. */
const patience = 900_000;
const lavapipe = findLavapipe();
const name =
  lavapipe === null
    ? "WebGPU (skipped: the driver was not fetched; npm run -s fetch:lavapipe)"
    : `WebGPU on ${lavapipe.packages.find((one) => one.startsWith("mesa-vulkan-drivers"))}`;
const { session: provider } = candidatesFor(process.platform).find((one) => one.name === "webgpu")!;
/** The faster kernels are wrong on this driver, as the self-test finds (below). */
const onDevice = { provider, threads: 2, careful: true };
const exactCpu = { ...cpu, careful: true };
const bytes = (graph: Uint8Array) => ({ type: "bytes", bytes: graph, dataFolder: null }) as const;

describe.skipIf(lavapipe === null)(name, { timeout: patience }, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await openCRuntime();
    useLavapipe(lavapipe!);
  }, patience);

  describe("the language model on the device", { timeout: patience }, () => {
    languageModelConformance(() => runtime.openLanguage(tinySource, onDevice), {
      tolerance: 1e-3,
      stepsFrom: 290,
    });
  });

  const read = async (model: LanguageModel, prompt: Float32Array, step: Float32Array) => {
    const cache = model.createCache();
    const tokens = prompt.length / model.hidden;
    const parts = [await model.forward({ cache, embeddings: prompt, rows: [0, tokens - 1] }, never)];
    for (let i = 0; i < 3; i += 1) {
      parts.push(await model.forward({ cache, embeddings: step, rows: [0] }, never));
    }
    await cache.dispose();
    await model.dispose();
    return Float32Array.from(parts.flatMap((part) => [...part]));
  };
  const probeSource = (graph: Uint8Array) => ({
    embed: null,
    decoder: bytes(graph),
    vocabulary: probe.vocabulary,
    contextLength: probe.context,
  });

  test("gives the processor's numbers with float32 weights, and with 4-bit weights", async () => {
    const random = probeEmbeddings(8).subarray(0, 41 * tiny.hidden);
    const [prompt, step] = [random.subarray(tiny.hidden), random.subarray(0, tiny.hidden)];
    const found = await read(await runtime.openLanguage(tinySource, onDevice), prompt, step);
    const right = await read(await runtime.openLanguage(tinySource, cpu), prompt, step);
    expect(largestDifference(found, right)).toBeLessThan(1e-3);

    const source = probeSource(probeDecoder());
    const [long, one] = [probeEmbeddings(96), probeEmbeddings(1)];
    const four = await read(await runtime.openLanguage(source, onDevice), long, one);
    const exact = await read(await runtime.openLanguage(source, exactCpu), long, one);
    expect(largestDifference(four, exact)).toBeLessThan(1e-3);
  });

  test("gives nearly the same numbers with keys and values in half precision", async () => {
    const inHalf = (graph: Uint8Array) => {
      const model = parseGraph(graph);
      keepCacheInHalf(model);
      return modelBytes(model);
    };
    const graph = probeDecoder();
    const [prompt, step] = [probeEmbeddings(60), probeEmbeddings(1)];
    const found = await read(await runtime.openLanguage(probeSource(inHalf(graph)), onDevice), prompt, step);
    const right = await read(await runtime.openLanguage(probeSource(graph), exactCpu), prompt, step);
    expect(relativeDifference(found, right)).toBeLessThan(0.02);
    // It is half precision that ran, not float32 under its name.
    expect(relativeDifference(found, right)).toBeGreaterThan(1e-5);
  });

  describe("weights of 16 bits", { timeout: patience }, () => {
    let folder: string;
    beforeAll(async () => {
      folder = await mkdtemp(path.join(tmpdir(), "meditron-half-"));
    });
    afterAll(() => rm(folder, { recursive: true }));

    describe("in a decoder of the importer's", { timeout: patience }, () => {
      languageModelConformance(
        async () => runtime.openLanguage(await writeTinyLlama(path.join(folder, "tiny"), "half"), onDevice),
        { tolerance: 0.05, stepsFrom: 290, stored: rounded },
      );
    });

    test("are multiplied in half precision", async () => {
      const source = await writeTinyLlama(path.join(folder, "cache"), "half");
      const embeddings = probeEmbeddings(8).subarray(0, 60 * tiny.hidden);
      const step = probeEmbeddings(1).subarray(0, tiny.hidden);
      const found = await read(await runtime.openLanguage(source, onDevice), embeddings, step);
      const right = await read(await runtime.openLanguage(source, cpu), embeddings, step);
      expect(relativeDifference(found, right)).toBeLessThan(0.02);
      expect(relativeDifference(found, right)).toBeGreaterThan(1e-5);
    });

    test.each(["llama2", "qwen2", "gemma3", "mistral", "phi3", "apertus", "olmo2"])(
      "of an imported %s give nearly the processor's logits of the whole import",
      async (decoder) => {
        const work = path.join(folder, decoder);
        const source = await fixtureSource(path.join("decoders", decoder), work);
        const expected = JSON.parse(
          await readFile(path.join(source, "expected.json"), "utf8"),
        ) as ExpectedLanguage;
        const logits = async (precision: "half" | "float32") => {
          const pack = await runImport({ source, targetFolder: work, name: precision, precision });
          const { opened, graphs } = await checkedPack(pack);
          const { vocabulary, context_length: contextLength } = opened.pack.language!;
          const options = precision === "half" ? onDevice : cpu;
          const model = await runtime.openLanguage({ ...graphs, vocabulary, contextLength }, options);
          const rows = await logitsOf(model, expected.ids);
          await model.dispose();
          return Float32Array.from(rows.flatMap((row) => [...row]));
        };
        const [found, right] = [await logits("half"), await logits("float32")];
        const difference = relativeDifference(found, right);
        if (process.env["PARITY_FIGURES"] !== undefined)
          console.log(`${decoder} ${difference.toExponential(1)}`);
        expect(difference).toBeLessThan(0.02);
        expect(difference).toBeGreaterThan(1e-6);
      },
    );

    test("of a model that caps its scores are refused by name: the cap would be left out", async () => {
      const work = path.join(folder, "gemma2");
      const source = await fixtureSource("decoders/gemma2", work);
      const pack = await runImport({ source, targetFolder: work, name: "half", precision: "half" });
      const { graphs } = await checkedPack(pack);
      await expect(
        runtime.openLanguage({ ...graphs, vocabulary: 320, contextLength: 128 }, onDevice),
      ).rejects.toMatchObject({
        code: "provider-not-available",
        message: expect.stringContaining("caps its attention scores"),
      });
    });

    test("of an image encoder give nearly its embeddings", async () => {
      const { source, pack: imported } = await importWholeModel("llava", path.join(folder, "llava"), "half");
      const expected = JSON.parse(await readFile(path.join(source, "expected.json"), "utf8")) as {
        pixels: string;
        embeddings: string;
      };
      const { graphs, image } = await readPack(imported, never);
      const { width, height, tokens } = image;
      const hidden = floats(expected.embeddings).length / tokens;
      const encoder = await runtime.openVision(
        { graph: graphs.vision, width, height, tokens, hidden },
        onDevice,
      );
      const values = await encoder.encode(floats(expected.pixels), 1, never);
      await encoder.dispose();
      expect(relativeDifference(values, floats(expected.embeddings))).toBeLessThan(0.01);
    });

    test("whose products are too large for them end the question by name, not in nonsense", async () => {
      const source = await writeTinyLlama(path.join(folder, "large"), "half", 30_000);
      const model = await runtime.openLanguage(source, onDevice);
      const cache = model.createCache();
      const embeddings = await model.embed([3, 60, 5], never);
      await expect(model.forward({ cache, embeddings, rows: [2] }, never)).rejects.toMatchObject({
        code: "model-failed",
        message: expect.stringContaining("--weights 8bit or 4bit"),
      });
      expect(cache.length).toBe(0);
      await cache.dispose();
      await model.dispose();
      const exact = await runtime.openLanguage(source, cpu);
      const logits = await exact.forward({ cache: exact.createCache(), embeddings, rows: [2] }, never);
      expect(Math.max(...logits.map(Math.abs))).toBeGreaterThan(65_504);
      await exact.dispose();
    });
  });

  test("encodes images as the processor does", async () => {
    const source = { graph: bytes(tinyVision()), width: 64, height: 64, tokens: 16, hidden: tiny.hidden };
    const pixels = probeEmbeddings(48).subarray(0, 2 * 3 * 64 * 64);
    const [found, right] = await Promise.all(
      [onDevice, cpu].map(async (options) => {
        const model = await runtime.openVision(source, options);
        const values = await model.encode(pixels, 2, never);
        await model.dispose();
        return values;
      }),
    );
    expect(largestDifference(found!, right!)).toBeLessThan(1e-4);
  });

  describe("the cache", { timeout: patience }, () => {
    let model: LanguageModel;
    beforeAll(async () => {
      model = await runtime.openLanguage(tinySource, onDevice);
    }, patience);
    afterAll(() => model.dispose());

    const read20 = probeEmbeddings(64).subarray(0, 20 * tiny.hidden);
    const read120 = probeEmbeddings(64).subarray(0, 120 * tiny.hidden);
    /** Bytes of arrays that this process's JavaScript still holds. */
    const held = () => {
      collect();
      return process.memoryUsage().arrayBuffers;
    };

    test("lies on the device: what this process holds does not grow with the context", async () => {
      const cache = model.createCache();
      await model.forward({ cache, embeddings: read20, rows: [19] }, never);
      await model.forward({ cache, embeddings: read20, rows: [19] }, never);
      const before = held();
      for (let i = 0; i < 3; i += 1) await model.forward({ cache, embeddings: read120, rows: [119] }, never);
      await model.forward({ cache, embeddings: read20, rows: [19] }, never);
      expect(cache.length).toBe(420);
      // The same on the processor holds keys and values of these tokens in arrays.
      const kept = 2 * tiny.layers * tiny.kvHeads * tiny.headSize * 4 * 380;
      expect(kept).toBeGreaterThan(150_000);
      // Arrays are given back some time after their collection.
      await expect.poll(() => held() - before, { timeout: 20_000 }).toBeLessThan(kept / 3);
      expect(cache.copy(0, 10)).toBeNull();
      await cache.dispose();
    });
  });

  test("is found by the self-test, without the kernels that are wrong here", async () => {
    const settings = { packFolders: [], provider: "webgpu", threads: 2, stateFolder: null };
    const choice = new ProviderChoice(settings, openCRuntime);
    const statuses = await choice.statuses(never);
    expect(statuses.find(({ name: one }) => one === "webgpu")).toMatchObject({ status: "in-use" });
    expect(await choice.choose(never)).toMatchObject({ name: "webgpu", careful: true });
  });

  test("was found, and not another driver", () => {
    expect(ortEnvironment().providers).toContain("WebGpuExecutionProvider");
    expect(process.env["VK_ICD_FILENAMES"]).toBe(lavapipe!.icd);
  });
});
