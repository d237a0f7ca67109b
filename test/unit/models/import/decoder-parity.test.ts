import { copyFile, cp, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decoderNames } from "../../../../models/import/decoders/known-decoders.ts";
import type { OrtLanguageModel } from "../../../../models/runtime/language-model.ts";
import {
  fixtures,
  greedyTokens,
  logitDifference,
  openLanguage,
  runImport,
  temporaryFolder,
  type ExpectedLanguage,
} from "./imported-language.ts";

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
  let expected: ExpectedLanguage;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const source = path.join(folder.path, "source");
    await cp(path.join(decoders, name), source, { recursive: true });
    for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
      await copyFile(path.join(fixtures, "tiny-llama", file), path.join(source, file));
    }
    expected = JSON.parse(await readFile(path.join(source, "expected.json"), "utf8")) as ExpectedLanguage;
    const input = { source, targetFolder: path.join(folder.path, "packs"), name: "whole" } as const;
    model = await openLanguage(await runImport({ ...input, precision: "float32" }));
  });
  afterAll(async () => {
    await model?.dispose();
    await folder.remove();
  });

  it("gives HF transformers' logits within 1e-3", async () => {
    const worst = await logitDifference(model, expected);
    if (process.env["PARITY_FIGURES"] !== undefined) console.log(`${name} ${worst.toExponential(1)}`);
    expect(worst).toBeLessThan(1e-3);
  });

  it("goes on with HF transformers' greedy tokens, one step at a time over its cache", async () => {
    expect(await greedyTokens(model, expected)).toEqual(expected.greedy);
  });
});
