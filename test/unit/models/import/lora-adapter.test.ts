import { cpSync, readdirSync, readFileSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  fixtures,
  fixtureSource,
  greedyTokens,
  logitDifference,
  openLanguage,
  runImport,
  temporaryFolder,
  type ExpectedLanguage,
} from "./imported-language.ts";

/** test/fixtures/models/make-adapter-fixtures.py: by PEFT */
const folder = path.join(fixtures, "adapters");
const names = readdirSync(folder);
const expectedOf = (name: string) =>
  JSON.parse(readFileSync(path.join(folder, name, "expected.json"), "utf8")) as ExpectedLanguage & {
    decoder: string;
  };

let work: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  work = await temporaryFolder();
});
afterEach(() => work.remove());

const imported = async (name: string, adapter: string | null) =>
  runImport({
    source: await fixtureSource(path.join("decoders", expectedOf(name).decoder), work.path),
    targetFolder: path.join(work.path, "packs"),
    name: "adapted",
    precision: "float32",
    adapter,
  });

it.each(names)(
  "the adapter %s, merged, gives PEFT's logits within 1e-3 and its greedy tokens",
  async (name) => {
    const expected = expectedOf(name);
    const model = await openLanguage(await imported(name, path.join(folder, name)));
    try {
      const worst = await logitDifference(model, expected);
      if (process.env["PARITY_FIGURES"] !== undefined)
        console.log(`adapter ${name} ${worst.toExponential(1)}`);
      expect(worst).toBeLessThan(1e-3);
      expect(await greedyTokens(model, expected)).toEqual(expected.greedy);
    } finally {
      await model.dispose();
    }
  },
);

it("without the adapter the logits are others", async () => {
  const model = await openLanguage(await imported("plain", null));
  try {
    expect(await logitDifference(model, expectedOf("plain"))).toBeGreaterThan(0.01);
  } finally {
    await model.dispose();
  }
});

describe("an adapter that cannot be merged", () => {
  let adapter: string;
  beforeEach(() => {
    adapter = path.join(work.path, "adapter");
    cpSync(path.join(folder, "plain"), adapter, { recursive: true });
  });
  const change = async (values: Record<string, unknown>) => {
    const file = path.join(adapter, "adapter_config.json");
    const json = JSON.parse(await readFile(file, "utf8")) as object;
    await writeFile(file, JSON.stringify({ ...json, ...values }));
  };

  it.each<[string, Record<string, unknown>, string]>([
    ["modules of its own", { modules_to_save: ["embed_tokens"] }, "modules_to_save"],
    ["DoRA", { use_dora: true }, "use_dora"],
    ["biases", { bias: "lora_only" }, "bias"],
    ["repeated layers", { layer_replication: [[0, 2]] }, "layer_replication"],
    ["another method", { peft_type: "IA3" }, "IA3"],
    ["training on changed weights", { init_lora_weights: "pissa_niter_16" }, "pissa_niter_16"],
    ["patterns that are expressions", { rank_pattern: { "(a+)+$": 4 } }, "rank_pattern"],
    ["tensors that its settings do not name", { target_modules: ["q_proj", "v_proj"] }, "down_proj"],
  ])("is refused by name for %s", async (_, values, named) => {
    await change(values);
    await expect(imported("plain", adapter)).rejects.toMatchObject({
      code: "architecture-not-supported",
      message: expect.stringContaining(named),
    });
    expect(readdirSync(path.join(work.path, "packs"))).toEqual([]);
  });

  it.each<[string, Record<string, unknown>]>([
    ["another rank", { r: 8 }],
    ["a text for a number", { lora_alpha: "16" }],
    ["a pattern without a number", { alpha_pattern: { q_proj: null } }],
  ])("is damaged with %s", async (_, values) => {
    await change(values);
    await expect(imported("plain", adapter)).rejects.toMatchObject({ code: "model-file-damaged" });
  });

  it("is damaged where it was made for another model", async () => {
    const source = await fixtureSource("decoders/llama3", path.join(work.path, "other"));
    const config = path.join(source, "config.json");
    const weights = { ...(JSON.parse(await readFile(config, "utf8")) as object) };
    await writeFile(config, JSON.stringify(weights));
    const input = { source, targetFolder: path.join(work.path, "packs"), name: "adapted" };
    const code = await runImport({ ...input, adapter: path.join(folder, "patterns") }).catch(
      (thrown: { code: string }) => thrown.code,
    );
    expect(["model-file-damaged", "architecture-not-supported"]).toContain(code);
  });

  it("is said to lack its files", async () => {
    await rm(path.join(adapter, "adapter_model.safetensors"));
    await expect(imported("plain", adapter)).rejects.toMatchObject({
      code: "file-not-found",
      message: expect.stringContaining("adapter_model.safetensors"),
    });
  });

  it("is refused where the head that it changes is the token embedding too", async () => {
    const source = await fixtureSource("decoders/mistral", path.join(work.path, "tied"));
    const file = path.join(source, "config.json");
    const json = JSON.parse(await readFile(file, "utf8")) as object;
    await writeFile(file, JSON.stringify({ ...json, tie_word_embeddings: true }));
    const input = { source, targetFolder: path.join(work.path, "packs"), name: "adapted" };
    await expect(runImport({ ...input, adapter: path.join(folder, "head") })).rejects.toMatchObject({
      code: "architecture-not-supported",
    });
  });
});
