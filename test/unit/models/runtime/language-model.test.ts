import { describe, expect, test } from "vitest";
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
