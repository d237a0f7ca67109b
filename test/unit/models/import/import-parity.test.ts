import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { OrtLanguageModel } from "../../../../models/runtime/language-model.ts";
import {
  fixtures,
  greedy,
  logitsOf,
  openLanguage,
  relativeDifference,
  runImport,
  temporaryFolder,
} from "./imported-language.ts";

interface Fixture {
  readonly ids: readonly (readonly number[])[];
  readonly gguf: readonly (readonly (readonly number[])[])[];
  readonly safetensors: readonly (readonly (readonly number[])[])[];
}

/** test/fixtures/models/make-import-fixtures.py: what HF transformers computes from the same files. */
const fixture = JSON.parse(readFileSync(path.join(fixtures, "tiny-llama.json"), "utf8")) as Fixture;

const sources = [
  { source: "tiny-llama.gguf", expected: fixture.gguf },
  { source: "tiny-llama", expected: fixture.safetensors },
] as const;

describe.each(sources)("an import of $source", ({ source, expected }) => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let whole: OrtLanguageModel;
  let packed: OrtLanguageModel;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const input = { source: path.join(fixtures, source), targetFolder: folder.path };
    whole = await openLanguage(await runImport({ ...input, name: "whole", precision: "float32" }));
    packed = await openLanguage(await runImport({ ...input, name: "packed" }));
  });
  afterAll(async () => {
    await whole?.dispose();
    await packed?.dispose();
    await folder.remove();
  });

  it("in full precision gives HF transformers' logits within 1e-3 and its greedy tokens", async () => {
    for (const [i, ids] of fixture.ids.entries()) {
      const ours = await logitsOf(whole, ids);
      for (const [token, theirs] of (expected[i] ?? []).entries()) {
        expect(relativeDifference(ours[token] ?? [], theirs)).toBeLessThan(1e-3);
        expect(greedy(ours[token] ?? [])).toBe(greedy(theirs));
      }
    }
  });

  it("in integers stays near the full-precision one", async () => {
    const [ids] = fixture.ids;
    const a = await logitsOf(whole, ids ?? []);
    const b = await logitsOf(packed, ids ?? []);
    for (const [i, row] of a.entries()) expect(correlation(row, b[i] ?? [])).toBeGreaterThan(0.95);
  });

  it("reads a sequence in parts as it does in one go", async () => {
    const ids = fixture.ids[0] ?? [];
    const inOne = await logitsOf(whole, ids);
    const signal = new AbortController().signal;
    const cache = whole.createCache();
    await whole.forward({ cache, embeddings: await whole.embed(ids.slice(0, 5), signal), rows: [] }, signal);
    const embeddings = await whole.embed(ids.slice(5), signal);
    const rest = await whole.forward({ cache, embeddings, rows: [ids.length - 6] }, signal);
    expect(relativeDifference(rest, inOne.at(-1) ?? [])).toBeLessThan(1e-4);
    await cache.dispose();
  });
});

function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += (a[i] as number) * (b[i] as number);
    aa += (a[i] as number) ** 2;
    bb += (b[i] as number) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}
