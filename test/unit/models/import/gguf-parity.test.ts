import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bytesSource } from "../../../../models/import/byte-source.ts";
import { ggufDecoderConfig } from "../../../../models/import/gguf-checkpoint.ts";
import { readGguf, type GgufFile } from "../../../../models/import/gguf-reader.ts";
import type { GgufValue } from "../../../../models/import/gguf-header.ts";
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

/** test/fixtures/models/make-gguf-fixtures.py */
const folder = path.join(fixtures, "gguf");
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".gguf"))
  .map((file) => file.replace(/\.gguf$/, ""));

describe.each(names)("an import of the GGUF file %s", (name) => {
  const expected = JSON.parse(readFileSync(path.join(folder, `${name}.json`), "utf8")) as ExpectedLanguage;
  let work: Awaited<ReturnType<typeof temporaryFolder>>;
  let model: OrtLanguageModel;

  beforeAll(async () => {
    work = await temporaryFolder();
    const source = path.join(folder, `${name}.gguf`);
    const input = { source, targetFolder: work.path, name: "whole", precision: "float32" } as const;
    model = await openLanguage(await runImport(input));
  });
  afterAll(async () => {
    await model?.dispose();
    await work.remove();
  });

  it("gives HF transformers' logits within 1e-3", async () => {
    const worst = await logitDifference(model, expected);
    if (process.env["PARITY_FIGURES"] !== undefined) console.log(`gguf ${name} ${worst.toExponential(1)}`);
    expect(worst).toBeLessThan(1e-3);
  });

  it("goes on with HF transformers' greedy tokens", async () => {
    expect(await greedyTokens(model, expected)).toEqual(expected.greedy);
  });
});

describe("the rotary positions of a GGUF file", () => {
  const changed = async (name: string, values: Readonly<Record<string, GgufValue>>): Promise<GgufFile> => {
    const file = await readGguf(bytesSource(new Uint8Array(readFileSync(path.join(folder, `${name}.gguf`)))));
    return { ...file, metadata: new Map([...file.metadata, ...Object.entries(values)]) };
  };

  it.each<[string, Record<string, GgufValue>]>([
    ["LongRoPE", { "llama.rope.scaling.type": "longrope" }],
    ["an unknown kind", { "llama.rope.scaling.type": "spiral" }],
    ["YaRN with a part of its own", { "llama.rope.scaling.yarn_ext_factor": 0.5 }],
    ["partly turned heads", { "llama.rope.dimension_count": 8 }],
  ])("are refused by name for %s", async (_, values) => {
    const file = await changed("llama-yarn", values);
    await expect(ggufDecoderConfig(file)).rejects.toMatchObject({ code: "architecture-not-supported" });
  });

  it("are refused where YaRN and listed divisors meet", async () => {
    const file = await changed("llama-factors", { "llama.rope.scaling.type": "yarn" });
    await expect(ggufDecoderConfig(file)).rejects.toMatchObject({ code: "architecture-not-supported" });
  });

  it("leave LongRoPE the context that its short list is for", async () => {
    const { contextLength, rotary, window, windowLayers } = await ggufDecoderConfig(
      await changed("phi3-longrope", {}),
    );
    expect(contextLength).toBe(64);
    expect(rotary).toMatchObject({ width: 16, scaling: { type: "listed" } });
    expect({ window, windowLayers }).toEqual({ window: 7, windowLayers: [0, 1] });
  });

  it.each<[string, Record<string, GgufValue>]>([
    ["without its original context", { "phi3.rope.scaling.original_context_length": 0 }],
    ["without its factor", { "phi3.rope.scaling.attn_factor": 0 }],
  ])("are damaged for LongRoPE %s", async (_, values) => {
    const file = await changed("phi3-longrope", values);
    await expect(ggufDecoderConfig(file)).rejects.toMatchObject({ code: "model-file-damaged" });
  });

  it("are damaged for LongRoPE with one of its lists alone", async () => {
    const file = await changed("phi3-longrope", {});
    const tensors = new Map([...file.tensors].filter(([name]) => name !== "rope_factors_long.weight"));
    await expect(ggufDecoderConfig({ ...file, tensors })).rejects.toMatchObject({
      code: "model-file-damaged",
    });
  });

  it("are damaged with a text for a number", async () => {
    const file = await changed("llama-linear", { "llama.rope.scaling.factor": "four" });
    await expect(ggufDecoderConfig(file)).rejects.toMatchObject({ code: "model-file-damaged" });
  });

  it("take a factor alone for the linear kind, as llama.cpp does", async () => {
    const file = await changed("qwen3", { "qwen3.rope.scale_linear": 2 });
    expect((await ggufDecoderConfig(file)).rotary.scaling).toEqual({ type: "linear", factor: 2 });
  });

  it("stretch the context by YaRN's factor", async () => {
    const file = await changed("llama-yarn", { "llama.context_length": 32 });
    expect((await ggufDecoderConfig(file)).contextLength).toBe(128);
  });
});
