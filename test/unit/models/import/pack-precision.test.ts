import { readdirSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { mixedPrecision, precisionRules } from "../../../../models/import/pack-precision.ts";
import {
  fixtureSource,
  logitDifference,
  openLanguage,
  runImport,
  temporaryFolder,
  type ExpectedLanguage,
} from "./imported-language.ts";

let work: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  work = await temporaryFolder();
});
afterEach(() => work.remove());

const bitsOf = (layers: number, part: string, layer: number) => {
  const precision = mixedPrecision(layers)(`model.layers.${layer}.${part}.weight`, 64);
  return precision.type === "integer" ? precision.bits : 32;
};

it("the mixed choice keeps 8 bits at both ends of the layers and in every third between", () => {
  const layers = Array.from({ length: 32 }, (_, layer) => layer);
  const finer = layers.filter((layer) => bitsOf(32, "mlp.down_proj", layer) === 8);
  expect(finer).toEqual([0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31]);
  expect(layers.filter((layer) => bitsOf(32, "self_attn.q_proj", layer) === 8)).toEqual(finer);
  expect(layers.filter((layer) => bitsOf(32, "self_attn.qkv_proj", layer) === 8)).toEqual(finer);
  for (const part of ["self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj"])
    expect(layers.every((layer) => bitsOf(32, part, layer) === 4)).toBe(true);
});

it("a model of few layers keeps 8 bits in its last one", () => {
  expect([0, 1].map((layer) => bitsOf(2, "mlp.down_proj", layer))).toEqual([4, 8]);
});

it("only weights whose blocks have a whole zero already do without a shift", () => {
  const { language } = precisionRules("integer", 8);
  const zeroOf = (storedAs: string) => {
    const precision = language("model.layers.0.mlp.up_proj.weight", 64, storedAs);
    return precision.type === "integer" ? precision.zero : null;
  };
  expect(zeroOf("Q4_0")).toBe("asymmetric");
  expect(["Q4_1", "Q4_K", "Q5_0", "Q8_0", "Q6_K", "BF16", "F32"].map(zeroOf)).toEqual(
    Array(7).fill("shifted"),
  );
});

it("the image encoder has 8 bits in every choice but the whole one", () => {
  for (const precision of ["integer", "mixed", "bytes", "compact"] as const)
    expect(precisionRules(precision, 32).vision("patch", 64)).toMatchObject({ type: "integer", bits: 8 });
  expect(precisionRules("float32", 32).vision("patch", 64)).toEqual({ type: "float32" });
});

it("more bits take more room and come nearer to the whole model", async () => {
  const source = await fixtureSource("decoders/llama3", work.path);
  const expected = JSON.parse(await readFile(path.join(source, "expected.json"), "utf8")) as ExpectedLanguage;
  const measured = [];
  for (const precision of ["integer", "mixed", "bytes"] as const) {
    const folder = await runImport({ source, targetFolder: work.path, name: precision, precision });
    const model = await openLanguage(folder);
    const weights = readdirSync(folder).filter((name) => name.startsWith("weights"));
    const bytes = weights.reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0);
    measured.push({ bytes, difference: await logitDifference(model, expected) });
    await model.dispose();
  }
  const [four, mixed, eight] = measured as [(typeof measured)[0], (typeof measured)[0], (typeof measured)[0]];
  expect(four.bytes).toBeLessThan(mixed.bytes);
  expect(mixed.bytes).toBeLessThan(eight.bytes);
  expect(eight.difference).toBeLessThan(four.difference);
});
