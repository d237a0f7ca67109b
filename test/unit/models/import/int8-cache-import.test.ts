import { copyFile, cp, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { Engine } from "../../../../models/runtime/engine.ts";
import { OrtLanguageModel } from "../../../../models/runtime/language-model.ts";
import { cApi } from "../../../../models/runtime/ort/engine.ts";
import { cpu } from "../tiny-model.ts";
import {
  checkedPack,
  type ExpectedLanguage,
  fixtures,
  fixtureSource,
  logitsOf,
  never,
  openLanguage,
  runImport,
  temporaryFolder,
} from "./imported-language.ts";

const decoders = path.join(fixtures, "decoders");
/** Their attention has what the plain one has not: a window, a cap, norms of queries and keys, partly turned heads. */
const names = (await readdir(decoders)).filter((name) =>
  ["apertus", "gemma2", "llama2", "mistral", "phi3", "qwen3"].includes(name),
);

/** Root mean square of the difference, relative to that of the logits. */
function relativeError(found: readonly Float32Array[], exact: readonly Float32Array[]): number {
  let [error, size] = [0, 0];
  for (const [row, values] of exact.entries()) {
    for (const [i, value] of values.entries()) {
      error += (found[row]![i]! - value) ** 2;
      size += value ** 2;
    }
  }
  return Math.sqrt(error / size);
}

/** Logits of every token, read one by one. */
async function steps(model: OrtLanguageModel, ids: readonly number[]): Promise<Float32Array[]> {
  const cache = model.createCache();
  const rows: Float32Array[] = [];
  for (const id of ids) {
    const embeddings = await model.embed([id], never);
    rows.push(await model.forward({ cache, embeddings, rows: [0] }, never));
  }
  await cache.dispose();
  return rows;
}

describe.each(names)("an import of %s with a cache of 8 bits", (name) => {
  it("gives nearly the logits of one with float32, and the same token by token", async () => {
    const folder = await temporaryFolder();
    const source = path.join(folder.path, "source");
    await cp(path.join(decoders, name), source, { recursive: true });
    for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
      await copyFile(path.join(fixtures, "tiny-llama", file), path.join(source, file));
    }
    const expected = JSON.parse(
      await readFile(path.join(source, "expected.json"), "utf8"),
    ) as ExpectedLanguage;
    const input = { source, targetFolder: path.join(folder.path, "packs"), precision: "float32" } as const;
    const float = await openLanguage(await runImport({ ...input, name: "whole" }));
    const bytes = await openLanguage(await runImport({ ...input, name: "bytes", kvCache: "int8" }));
    const error = relativeError(await logitsOf(bytes, expected.ids), await logitsOf(float, expected.ids));
    if (process.env["PARITY_FIGURES"] !== undefined) console.log(`${name} ${error.toExponential(1)}`);
    expect(error).toBeGreaterThan(0);
    // Random weights pass a small error on many times over, and these texts hold values that the measured one has not.
    expect(error).toBeLessThan(0.2);
    const oneByOne = await steps(bytes, expected.ids);
    expect(relativeError(oneByOne, await logitsOf(bytes, expected.ids))).toBeLessThan(0.01);
    await float.dispose();
    await bytes.dispose();
    await folder.remove();
  });
});

/** Runs on the processor and says that it does not: here there may be no card. */
const onCard: Engine = {
  ...cApi,
  async open(source, options) {
    const session = await cApi.open(source, options);
    const device = {
      tensor: () => {
        throw new Error("there is no card");
      },
    };
    return new Proxy(session, {
      get(target, property) {
        if (property === "device") return device;
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  },
};

describe("a pack with a cache of 8 bits", () => {
  it("is refused by name on a graphics card", async () => {
    const folder = await temporaryFolder();
    const source = await fixtureSource(path.join("decoders", "llama2"), folder.path);
    const pack = await runImport({ source, targetFolder: folder.path, name: "bytes", kvCache: "int8" });
    const { opened, graphs } = await checkedPack(pack);
    const { vocabulary, context_length: contextLength } = opened.pack.language!;
    await expect(
      OrtLanguageModel.open({ ...graphs, vocabulary, contextLength }, cpu, onCard),
    ).rejects.toMatchObject({ code: "provider-not-available" });
    await folder.remove();
  });

  it("is made of a language model without a chat template, too", async () => {
    const folder = await temporaryFolder();
    const source = await fixtureSource(path.join("decoders", "llama2"), folder.path);
    const settings = path.join(source, "tokenizer_config.json");
    const { chat_template: _, ...plain } = JSON.parse(await readFile(settings, "utf8")) as Record<
      string,
      unknown
    >;
    await writeFile(settings, JSON.stringify(plain));
    const pack = await runImport({ source, targetFolder: folder.path, name: "bytes", kvCache: "int8" });
    const model = await openLanguage(pack);
    const [first] = await logitsOf(model, [1, 2, 3]);
    expect(first!.every((value) => Number.isFinite(value))).toBe(true);
    await model.dispose();
    await folder.remove();
  });

  it("is not made of an export, which is used as it is", async () => {
    const folder = await temporaryFolder();
    const [name] = await readdir(path.join(fixtures, "exports"));
    const source = path.join(fixtures, "exports", name!);
    await expect(
      runImport({ source, targetFolder: folder.path, name: "bytes", kvCache: "int8" }),
    ).rejects.toMatchObject({ code: "not-supported" });
    await folder.remove();
  });
});
