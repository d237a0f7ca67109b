import { describe, expect, test } from "vitest";
import { stoppableTokens } from "../../../../models/runtime/language-model.ts";
import { tiny } from "../tiny-decoder.ts";
import { never, openTinyModel, runtimes } from "../tiny-model.ts";
import { languageModelConformance } from "./language-conformance.ts";

describe.each(runtimes)("the language model through $name", ({ open }) => {
  languageModelConformance(async () => openTinyModel(await open()), { tolerance: 1e-4 });
});

test.each(runtimes)("a model through $name that was closed says so", async ({ open }) => {
  const model = await openTinyModel(await open());
  const cache = model.createCache();
  const embeddings = new Float32Array(2 * tiny.hidden);
  await model.forward({ cache, embeddings, rows: [1] }, never);
  await cache.dispose();
  await model.dispose();
  await expect(model.embed([1], never)).rejects.toMatchObject({ code: "model-failed" });
});

test("wide models read a prompt in shorter runs, so that a stop need not wait", () => {
  const macs = (hidden: number) => stoppableTokens(hidden) * 7 * hidden ** 2;
  for (const hidden of [2048, 3072, 4096]) {
    expect(macs(hidden)).toBeLessThanOrEqual(4e9);
    expect(macs(hidden)).toBeGreaterThan(3.8e9);
  }
  // The embedded model's runs are as long as they were measured with, and no run is shorter than its kernels like.
  expect(stoppableTokens(576)).toBeGreaterThan(256);
  expect(stoppableTokens(16_384)).toBe(32);
});
