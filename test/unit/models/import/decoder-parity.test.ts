import { copyFile, cp, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decoderNames } from "../../../../models/import/decoders/known-decoders.ts";
import type { OrtLanguageModel } from "../../../../models/runtime/language-model.ts";
import {
  fixtures,
  greedy,
  logitsOf,
  never,
  openLanguage,
  relativeDifference,
  runImport,
  temporaryFolder,
} from "./imported-language.ts";

/** test/fixtures/models/make-decoder-fixtures.py: what HF transformers computes from the same files. */
interface Expected {
  readonly ids: readonly number[];
  /** Positions whose logits are given. */
  readonly rows: readonly number[];
  /** float32, base64 */
  readonly logits: string;
  readonly greedy: readonly number[];
}

const decoders = path.join(fixtures, "decoders");
const names = (await readdir(decoders)).toSorted();

it("has a checkpoint of every decoder that can be imported", async () => {
  const found = new Set<string>();
  for (const name of names) {
    const config = JSON.parse(await readFile(path.join(decoders, name, "config.json"), "utf8")) as {
      architectures: string[];
    };
    for (const architecture of config.architectures) found.add(architecture);
  }
  expect([...found].toSorted()).toEqual(decoderNames.toSorted());
});

describe.each(names)("an import of the decoder %s", (name) => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let model: OrtLanguageModel;
  let expected: Expected;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const source = path.join(folder.path, "source");
    await cp(path.join(decoders, name), source, { recursive: true });
    for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
      await copyFile(path.join(fixtures, "tiny-llama", file), path.join(source, file));
    }
    expected = JSON.parse(await readFile(path.join(source, "expected.json"), "utf8")) as Expected;
    const input = { source, targetFolder: path.join(folder.path, "packs"), name: "whole" } as const;
    model = await openLanguage(await runImport({ ...input, precision: "float32" }));
  });
  afterAll(async () => {
    await model?.dispose();
    await folder.remove();
  });

  it("gives HF transformers' logits within 1e-3", async () => {
    const ours = await logitsOf(model, expected.ids);
    const bytes = Buffer.from(expected.logits, "base64");
    const theirs = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    let worst = 0;
    for (const [i, row] of expected.rows.entries()) {
      const wanted = theirs.subarray(i * model.vocabulary, (i + 1) * model.vocabulary);
      worst = Math.max(worst, relativeDifference(ours[row] ?? [], wanted));
    }
    if (process.env["PARITY_FIGURES"] !== undefined) console.log(`${name} ${worst.toExponential(1)}`);
    expect(worst).toBeLessThan(1e-3);
  });

  it("goes on with HF transformers' greedy tokens, one step at a time over its cache", async () => {
    const cache = model.createCache();
    const said: number[] = [];
    let next = [...expected.ids];
    while (said.length < expected.greedy.length) {
      const embeddings = await model.embed(next, never);
      const row = await model.forward({ cache, embeddings, rows: [next.length - 1] }, never);
      next = [greedy(row)];
      said.push(next[0] as number);
    }
    await cache.dispose();
    expect(said).toEqual(expected.greedy);
  });
});
