import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  cacheScales,
  type CacheScales,
  inBytes,
  keepCacheInBytes,
} from "../../../../models/import/int8-cache.ts";
import { parseGraph } from "../../../../models/pack/graph-references.ts";
import type { LanguageModel } from "../../../../models/runtime/backend.ts";
import { tiny, tinyDecoder } from "../tiny-decoder.ts";
import { cpu, largestDifference, never, openTinyModel, runtimes, tinySource } from "../tiny-model.ts";
import { wholeCacheScales } from "../whole-cache-scales.ts";

const heads = { layers: tiny.layers, heads: tiny.kvHeads, headSize: tiny.headSize, turned: tiny.headSize };
const ids = Array.from({ length: 120 }, (_, i) => (i * 29 + 3) % tiny.vocabulary);

/** Logits of all tokens: read in parts that end anywhere, as prompts and answers are. */
async function read(model: LanguageModel, lengths: readonly number[]): Promise<Float32Array> {
  const cache = model.createCache();
  const all: number[] = [];
  let at = 0;
  for (const length of lengths) {
    const embeddings = await model.embed(ids.slice(at, at + length), never);
    const rows = Array.from({ length }, (_, row) => row);
    all.push(...(await model.forward({ cache, embeddings, rows }, never)));
    at += length;
  }
  await cache.dispose();
  return Float32Array.from(all);
}

describe.each(runtimes)("keys and values as 8-bit integers, through $name", ({ name, open }) => {
  let float: LanguageModel;
  let bytes: LanguageModel;
  let scales: CacheScales[];
  beforeAll(async () => {
    const runtime = await open();
    float = await openTinyModel(runtime);
    // What a thread keeps is not copied out of it: the scales come from the other runtime.
    const measured = name === "the C interface" ? float : await openTinyModel(await runtimes[0]!.open());
    scales = await wholeCacheScales(measured, { ...heads, texts: [ids] });
    const decoder = {
      type: "bytes",
      bytes: inBytes(tinyDecoder(), scales, heads),
      dataFolder: null,
    } as const;
    bytes = await runtime.openLanguage({ ...tinySource, decoder }, cpu);
  });
  afterAll(async () => {
    await float.dispose();
    await bytes.dispose();
  });

  test("give nearly the logits of float32, in a run over a prompt and token by token", async () => {
    const exact = await read(float, [60, 20, 20]);
    const spread = Math.hypot(...exact) / Math.sqrt(exact.length);
    for (const lengths of [
      [60, 20, 20],
      [60, ...Array.from({ length: 40 }, () => 1)],
    ]) {
      const found = await read(bytes, lengths);
      const error = Math.hypot(...found.map((value, i) => value - exact[i]!)) / Math.sqrt(exact.length);
      expect(error).toBeGreaterThan(0);
      expect(error / spread).toBeLessThan(0.02);
    }
  });

  test("are kept while the cache grows, and forgotten where it is cut", async () => {
    const straight = await read(bytes, [90, 2, 2]);
    const cache = bytes.createCache();
    const readOn = async (from: number, to: number) => {
      const embeddings = await bytes.embed(ids.slice(from, to), never);
      return bytes.forward({ cache, embeddings, rows: [to - from - 1] }, never);
    };
    await readOn(0, 90);
    // Room for 256 tokens was made: this makes it grow, and goes back.
    for (let i = 0; i < 2; i += 1) await readOn(0, 100);
    expect(cache.length).toBe(290);
    cache.truncate(90);
    await readOn(90, 92);
    const last = await readOn(92, 94);
    expect(largestDifference(last, straight.slice(-tiny.vocabulary))).toBe(0);
    await cache.dispose();
  });

  test.runIf(name === "the C interface")("are copied and put back to the bit", async () => {
    const cache = bytes.createCache();
    await bytes.forward({ cache, embeddings: await bytes.embed(ids.slice(0, 80), never), rows: [] }, never);
    const copied = cache.copy(10, 80)!;
    expect(copied.parts.every((part) => part instanceof Int8Array)).toBe(true);
    expect(Math.max(...copied.parts[0]!.map(Math.abs))).toBeGreaterThan(60);
    const next = async (of: typeof cache) => {
      const embeddings = await bytes.embed(ids.slice(80, 82), never);
      return bytes.forward({ cache: of, embeddings, rows: [0, 1] }, never);
    };
    const other = bytes.createCache();
    await bytes.forward(
      { cache: other, embeddings: await bytes.embed(ids.slice(0, 10), never), rows: [] },
      never,
    );
    other.append(copied);
    expect(largestDifference(await next(other), await next(cache))).toBe(0);
    await cache.dispose();
    await other.dispose();
  });
});

describe("a decoder that is to keep its cache in 8 bits", () => {
  test("is refused by name where its attention is another", () => {
    const graph = parseGraph(tinyDecoder());
    expect(() => keepCacheInBytes(graph, [], heads)).toThrow(
      expect.objectContaining({ code: "not-supported" }),
    );
  });
});

test("what positions turn fits its scale at every position, however short the measured text", () => {
  // Channels 0 and 2 are turned into each other, 1 and 3 as well; 4 and 5 stand still.
  const [long, short] = [5, 0.5];
  const keysAt = (angle: number) =>
    Float32Array.of(
      long * Math.cos(angle),
      short * Math.cos(angle),
      long * Math.sin(angle),
      short * Math.sin(angle),
      2,
      1,
    );
  const own = { heads: 1, headSize: 6, turned: 4 };
  const { keys, values } = cacheScales([keysAt(0.01), keysAt(0.01)], own);
  for (let angle = 0; angle < 7; angle += 0.1) {
    for (const [channel, value] of keysAt(angle).entries()) {
      expect(Math.abs(value)).toBeLessThan(127 * keys[channel]!);
    }
  }
  expect(keys[4]! / keys[5]!).toBeCloseTo(2, 5);
  expect(keys[1]! / keys[0]!).toBeCloseTo(short / long, 5);
  // Values are not turned: each channel has its own largest.
  expect(values[2]! / values[0]!).toBeCloseTo(Math.tan(0.01), 5);
});
