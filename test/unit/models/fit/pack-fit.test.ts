import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readGraphFacts } from "../../../../models/fit/graph-facts.ts";
import { judgeFit, memoryNeed } from "../../../../models/fit/judge-fit.ts";
import { type PackSizes, readPackSizes } from "../../../../models/fit/pack-sizes.ts";
import { createInferenceService } from "../../../../models/inference-service.ts";
import { probe, probeDecoder } from "../../../../models/runtime/probe-graph.ts";
import { runtimeOpeners } from "../../../../models/runtime/runtime.ts";
import { memoryText } from "../../../../renderer/models/memory-text.ts";
import { fixtureSource, runImport, temporaryFolder } from "../import/imported-language.ts";
import { tiny } from "../tiny-decoder.ts";
import { never } from "../tiny-model.ts";
import { tinyRequest } from "../tiny-pack.ts";
import { writeTinyPack } from "../tiny-pack-folder.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "meditron-fit-"));
  await writeTinyPack(path.join(folder, "tiny-one"));
});
afterAll(() => rm(folder, { recursive: true }));

const tinyToken = 2 * tiny.layers * tiny.kvHeads * tiny.headSize * 4;

describe("what a graph says of memory", () => {
  test("keys and values of a token, and the weights of its matrix products", async () => {
    const file = path.join(folder, "probe.onnx");
    await writeFile(file, probeDecoder());
    const { layers, hidden, heads, kvHeads, headSize, intermediate, vocabulary } = probe;
    const perLayer =
      hidden * ((heads + 2 * kvHeads) * headSize) + heads * headSize * hidden + 2 * hidden * intermediate;
    const values = layers * perLayer + hidden * vocabulary;
    expect(await readGraphFacts(file)).toEqual({
      cacheTokenBytes: 2 * layers * kvHeads * headSize * 4,
      // 4 bits, and two float32 for each block of 32.
      packedBytes: values / 2 + values / 4,
      halfBytes: 0,
    });
  });

  test("a file that is no graph, or ends in the middle, says nothing and is no error", async () => {
    const file = path.join(folder, "bad.onnx");
    const graph = probeDecoder();
    const nothing = { cacheTokenBytes: 0, packedBytes: 0, halfBytes: 0 };
    for (const bytes of [
      graph.subarray(0, graph.length - 1),
      Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
      new TextEncoder().encode("not a graph at all"),
    ]) {
      await writeFile(file, bytes);
      expect(await readGraphFacts(file)).toEqual(nothing);
    }
  });
});

test("the sizes of a pack come from its files", async () => {
  expect(await readPackSizes(path.join(folder, "tiny-one"))).toMatchObject({
    cacheTokenBytes: tinyToken,
    contextLength: tiny.context,
    hidden: tiny.hidden,
    image: { width: 64, height: 64, tokens: 16 },
    references: 0,
  });
});

/** An 8-billion-parameter decoder with an encoder of 336 pixels. */
const large: PackSizes = {
  cacheTokenBytes: 2 * 32 * 8 * 128 * 4,
  packedBytes: 6e9,
  halfBytes: 0,
  graphBytes: 1e6,
  inlineBytes: 0,
  visionBytes: 3e8,
  languageBytes: 4.5e9,
  contextLength: 131_072,
  hidden: 4096,
  image: { width: 336, height: 336, tokens: 576 },
  references: 0,
};
const judged = (
  free: number | null,
  total: number | null,
  provider = "cpu",
  deviceFree: number | null = null,
) => judgeFit({ pack: "p", digest: "d", provider, sizes: large, memory: { free, total }, deviceFree });

describe("whether a pack fits", () => {
  test("says what it needs and what is free", () => {
    const fit = judged(32e9, 64e9);
    expect(fit.status).toBe("fits");
    const { app, weights, cache, images } = fit.parts;
    expect(fit.needs_bytes).toBe(app + weights + cache + images);
    expect(fit.text).toBe(`Needs ${(fit.needs_bytes / 1e9).toFixed(1)} GB, 32.0 GB free.`);
    expect(memoryText(fit)).toContain("1,000 tokens more take 262 MB.");
  });

  test("too little free, too little at all, and unknown are told apart", () => {
    expect(judged(3.9e9, 16e9)).toMatchObject({
      status: "tight",
      text: expect.stringMatching(
        /^Needs 7\.\d GB, 3\.9 GB free: close other programs or choose a smaller pack\.$/,
      ),
    });
    expect(judged(3.9e9, 4e9)).toMatchObject({
      status: "too-large",
      text: expect.stringMatching(/this machine has 4\.0 GB: choose a smaller pack/),
    });
    expect(judged(null, null).status).toBe("unknown");
  });

  test("on a graphics card the weights lie there, and a card that is too small says so", () => {
    const fit = judged(32e9, 64e9, "cuda", 3.9e9);
    expect(fit.status).toBe("tight");
    expect(fit.device!.needs_bytes).toBeGreaterThan(large.packedBytes);
    expect(fit.needs_bytes).toBeLessThan(judged(32e9, 64e9).needs_bytes - 5e9);
    expect(fit.text).toContain("on the graphics card, 3.9 GB free: choose CPU or a smaller pack.");
    expect(judged(32e9, 64e9, "cuda", 24e9).status).toBe("fits");
    expect(memoryText(judged(32e9, 64e9, "cuda"))).toContain("On the graphics card");
  });

  test("a long context costs nothing before it is used", () => {
    const short = memoryNeed({ ...large, contextLength: 4096 }, false);
    expect(memoryNeed(large, false)).toEqual(short);
  });
});

describe("a pack of 16-bit weights", () => {
  test("says what its matrices take, and half of what keys and values of float32 would", async () => {
    const work = await temporaryFolder();
    const source = await fixtureSource("decoders/qwen2", work.path);
    const sizesOf = async (precision: "half" | "float32") =>
      readPackSizes(await runImport({ source, targetFolder: work.path, name: precision, precision }));
    const [half, whole] = [await sizesOf("half"), await sizesOf("float32")];
    await work.remove();
    // All of them, the head that is tied to the embedding too: nothing else lies in the weight files of this model.
    expect(half.halfBytes).toBe(half.languageBytes);
    expect(half.halfBytes * 2).toBe(whole.languageBytes);
    expect(half.packedBytes).toBe(0);
    expect(half.cacheTokenBytes * 2).toBe(whole.cacheTokenBytes);
    expect(whole.halfBytes).toBe(0);
  });

  test("takes twice its weights, and keys and values of float32, on the processor", () => {
    const half = { ...large, packedBytes: 0, halfBytes: 15e9, languageBytes: 16e9 };
    const [cpu, card] = [memoryNeed(half, false), memoryNeed(half, true)];
    const rest = memoryNeed({ ...half, halfBytes: 1 }, false);
    expect(cpu.parts.weights - rest.parts.weights).toBe(2 * 15e9 - 2);
    expect(card.parts.weights).toBeLessThan(15.7e9);
    expect(card.device!).toBeGreaterThan(15e9);
    // 2,048 tokens on a card, 1,792 in main memory, where each takes twice as much.
    expect(cpu.parts.cache / card.parts.cache).toBe((2 * 1792) / 2048);
  });
});

describe("a pack that does not fit", () => {
  const started = async (memory: { free: number; total: number }) => {
    const service = createInferenceService(
      runtimeOpeners(() => undefined),
      async () => memory,
    );
    await service.configure({ packFolders: [folder], provider: "cpu", threads: 2, stateFolder: null }, never);
    return service;
  };

  test("is refused by name and figure before it is loaded where it can never fit", async () => {
    const service = await started({ free: 1e7, total: 1e8 });
    await expect(drain(service.load({ pack: null }, never))).rejects.toMatchObject({
      code: "out-of-memory",
      message: expect.stringMatching(/^Needs 0\.2 GB; this machine has 0\.1 GB/),
    });
  });

  test("answers with a warning where other programs could make room", async () => {
    const service = await started({ free: -1e12, total: 1e12 });
    const [fit] = await service.packFits({}, never);
    expect(fit).toMatchObject({ pack: "tiny-one", provider: "cpu", status: "tight" });
    for await (const event of service.answer(tinyRequest(), never)) {
      if (event.type === "done") expect(event.answer.warnings.join()).toContain("close other programs");
    }
  });
});

async function drain(events: AsyncGenerator<unknown, void, void>): Promise<void> {
  for await (const event of events) void event;
}
