import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findLavapipe, useLavapipe } from "../../../conformance/lavapipe.ts";
import type { LanguageModel } from "../../../../models/runtime/backend.ts";
import { ortEnvironment } from "../../../../models/runtime/ort/environment.ts";
import { probe, probeDecoder, probeEmbeddings } from "../../../../models/runtime/probe-graph.ts";
import { candidatesFor } from "../../../../models/runtime/provider-candidates.ts";
import { ProviderChoice } from "../../../../models/runtime/providers.ts";
import { openCRuntime, type Runtime } from "../../../../models/runtime/runtime.ts";
import { halfGraph } from "../half-graph.ts";
import { tiny, tinyDecoder } from "../tiny-decoder.ts";
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

  test("gives nearly the same numbers with weights, keys and values in half precision", async ({ skip }) => {
    for (const [graph, source] of [
      [tinyDecoder(), (half: Uint8Array) => ({ ...tinySource, embed: null, decoder: bytes(half) })],
      [probeDecoder(), probeSource],
    ] as const) {
      const opened = await runtime
        .openLanguage(source(halfGraph(graph)), onDevice)
        .catch((thrown: unknown) => {
          if (/f16|float16|half/i.test(String((thrown as Error).cause))) return null;
          throw thrown;
        });
      if (opened === null) skip("skipped: the adapter offers no shader-f16");
      const { hidden } = opened!;
      const prompt = probeEmbeddings(96).subarray(0, 60 * hidden);
      const step = probeEmbeddings(1).subarray(0, hidden);
      const found = await read(opened!, prompt, step);
      const right = await read(await runtime.openLanguage(source(graph), exactCpu), prompt, step);
      const scale = right.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(largestDifference(found, right)).toBeLessThan(0.02 * scale);
      // It is half precision that ran, not float32 under its name.
      expect(largestDifference(found, right)).toBeGreaterThan(1e-5 * scale);
    }
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
