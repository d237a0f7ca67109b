import { readFile, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { toBinary } from "@bufbuild/protobuf";
import { bytesSource } from "../../models/import/byte-source.ts";
import { readGguf } from "../../models/import/gguf-reader.ts";
import { ggufTokenizer } from "../../models/import/gguf-tokenizer.ts";
import { ModelProtoSchema } from "../../models/onnx/onnx-proto.ts";
import { parseGraph } from "../../models/pack/graph-references.ts";
import { readPack } from "../../models/pack/read-pack.ts";
import { TextTokenizer } from "../../models/text/tokenizer.ts";
import { copyFolder, emptied, importHostile, importPlaces } from "./import-places.ts";
import { damageReference, never, octets, text, type CaseKind, type CaseSources } from "./model-cases.ts";
import { mutateBytes, mutateJson, pick } from "./mutations.ts";

/** Checkpoints and exports that are damaged before they are imported. */
export async function importKinds(sources: CaseSources): Promise<CaseKind[]> {
  return [
    await ggufKind(sources),
    await vocabularyKind(sources),
    await safetensorsKind(sources),
    await settingsKind(sources),
    await exportKind(sources),
    await wholeModelKind(sources),
    await adapterKind(sources),
  ];
}

/** Byte-level tokenizer and mixed weights, or listed divisors, YaRN, another architecture. */
async function ggufKind(sources: CaseSources): Promise<CaseKind> {
  const places = await importPlaces(sources, "gguf", "model.gguf");
  const files = ["llama-factors", "llama-yarn", "qwen2"].map((name) => `gguf/${name}.gguf`);
  const all = await Promise.all(
    [sources.gguf, ...files.map((file) => path.join(sources.fixtures, file))].map(
      async (file) => new Uint8Array(await readFile(file)),
    ),
  );
  return {
    name: "GGUF",
    root: places.root,
    async run(random) {
      const bytes = pick(random, all);
      await writeFile(places.source, mutateBytes(bytes, random, random() < 0.9 ? 12_000 : bytes.length));
      await importHostile(places);
    },
    restore: () => emptied(places),
  };
}

async function safetensorsKind(sources: CaseSources): Promise<CaseKind> {
  const places = await importPlaces(sources, "safetensors", "checkpoint");
  await copyFolder(sources.checkpoint, places.source);
  const file = path.join(places.source, "model.safetensors");
  const bytes = new Uint8Array(await readFile(file));
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  return {
    name: "safetensors",
    root: places.root,
    async run(random) {
      if (random() < 0.6) {
        const header = octets(mutateJson(text(bytes.subarray(8, 8 + length)), random));
        const size = new Uint8Array(8);
        new DataView(size.buffer).setBigUint64(0, BigInt(header.length), true);
        await writeFile(file, Buffer.concat([size, header, bytes.subarray(8 + length)]));
      } else await writeFile(file, mutateBytes(bytes, random, 8 + length));
      await importHostile(places);
    },
    restore: () => emptied(places),
  };
}

/** config.json, tokenizer.json, tokenizer_config.json and an index of shards. */
async function settingsKind(sources: CaseSources): Promise<CaseKind> {
  const places = await importPlaces(sources, "settings", "checkpoint");
  await copyFolder(sources.checkpoint, places.source);
  const originals = new Map<string, string>();
  for (const name of ["config.json", "tokenizer.json", "tokenizer_config.json"]) {
    originals.set(name, await readFile(path.join(places.source, name), "utf8"));
  }
  const index = { metadata: {}, weight_map: { "model.norm.weight": "model.safetensors" } };
  originals.set("model.safetensors.index.json", JSON.stringify(index));
  return {
    name: "settings",
    root: places.root,
    async run(random) {
      const [name, original] = pick(random, [...originals]);
      const changed =
        random() < 0.85 ? octets(mutateJson(original, random)) : mutateBytes(octets(original), random);
      await writeFile(path.join(places.source, name), changed);
      await importHostile(places);
    },
    async restore() {
      for (const [name, original] of originals) await writeFile(path.join(places.source, name), original);
      await rm(path.join(places.source, "model.safetensors.index.json"));
      return emptied(places);
    },
  };
}

/** A SentencePiece vocabulary in GGUF. */
async function vocabularyKind({ work, fixtures }: CaseSources): Promise<CaseKind> {
  const folder = path.join(fixtures, "gguf-tokenizers");
  const names = ["sentencepiece.gguf", "sentencepiece-plain.gguf", "llama-bpe.gguf"];
  const all = await Promise.all(
    names.map(async (name) => new Uint8Array(await readFile(path.join(folder, name)))),
  );
  return {
    name: "GGUF tokenizer",
    root: work,
    async run(random) {
      const file = await readGguf(bytesSource(mutateBytes(pick(random, all), random)));
      const { json, config } = ggufTokenizer(file.metadata);
      const tokenizer = new TextTokenizer(json, config);
      tokenizer.decode(tokenizer.encode("Is there a mass of 12 mm? \u{1FA7B}"));
    },
    restore: async () => [],
  };
}

/** Graphs, references to their weights and settings of an export for transformers.js. */
async function exportKind(sources: CaseSources): Promise<CaseKind> {
  const places = await importPlaces(sources, "export", "checkpoint");
  const from = path.join(sources.fixtures, "exports/llava");
  await copyFolder(path.join(from, "onnx"), path.join(places.source, "onnx"));
  const originals = new Map<string, Uint8Array>();
  for (const name of ["config.json", "preprocessor_config.json"]) {
    originals.set(name, new Uint8Array(await readFile(path.join(from, name))));
  }
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
    originals.set(name, new Uint8Array(await readFile(path.join(sources.fixtures, "tiny-llama", name))));
  }
  for (const name of await readdir(path.join(from, "onnx"))) {
    originals.set(`onnx/${name}`, new Uint8Array(await readFile(path.join(from, "onnx", name))));
  }
  const restore = async () => {
    for (const [name, bytes] of originals) await writeFile(path.join(places.source, name), bytes);
  };
  await restore();
  const decoder = "onnx/decoder_model_merged.onnx";
  return {
    name: "export",
    root: places.root,
    async run(random) {
      const [name, original] = pick(random, [...originals]);
      if (random() < 0.3) {
        const model = parseGraph(originals.get(decoder) as Uint8Array);
        const external = (model.graph?.initializer ?? []).filter((tensor) => tensor.externalData.length > 0);
        damageReference(pick(random, external), random);
        await writeFile(path.join(places.source, decoder), toBinary(ModelProtoSchema, model));
      } else if (name.endsWith(".json") && random() < 0.8) {
        await writeFile(path.join(places.source, name), octets(mutateJson(text(original), random)));
      } else await writeFile(path.join(places.source, name), mutateBytes(original, random));
      await importHostile(places);
      await readPack(path.join(places.target, "hostile"), never);
    },
    async restore() {
      await restore();
      return emptied(places);
    },
  };
}

/** config.json, base settings and image preparation of whole models with images. */
async function wholeModelKind(sources: CaseSources): Promise<CaseKind> {
  const names = ["multi-meditron", "llava-siglip", "gemma3"];
  const models = await Promise.all(
    names.map(async (name) => {
      const places = await importPlaces(sources, `whole-${name}`, "checkpoint");
      await copyFolder(path.join(sources.fixtures, "whole-models", name), places.source);
      for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
        const from = await readFile(path.join(sources.fixtures, "tiny-llama", file));
        await writeFile(path.join(places.source, file), from);
      }
      const settings = (await readdir(places.source)).filter(
        (file) => file.endsWith(".json") && !file.startsWith("tokenizer") && file !== "expected.json",
      );
      return { ...places, settings };
    }),
  );
  let changed: { file: string; bytes: Uint8Array } | null = null;
  return {
    name: "whole model",
    root: sources.work,
    async run(random) {
      const model = pick(random, models);
      const file = path.join(model.source, pick(random, model.settings));
      const bytes = new Uint8Array(await readFile(file));
      changed = { file, bytes };
      const baseConfig = model.settings.includes("base-configs.json")
        ? path.join(model.source, "base-configs.json")
        : null;
      await writeFile(file, random() < 0.9 ? mutateJson(text(bytes), random) : mutateBytes(bytes, random));
      await importHostile(model, { baseConfig });
    },
    async restore() {
      if (changed !== null) await writeFile(changed.file, changed.bytes);
      changed = null;
      return (await Promise.all(models.map(emptied))).flat();
    },
  };
}

/** LoRA adapters: settings, headers and tensors that do not fit. */
async function adapterKind(sources: CaseSources): Promise<CaseKind> {
  const places = await importPlaces(sources, "adapter", "checkpoint");
  await copyFolder(path.join(sources.fixtures, "decoders/llama2"), places.source);
  for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
    const from = await readFile(path.join(sources.fixtures, "tiny-llama", file));
    await writeFile(path.join(places.source, file), from);
  }
  const adapter = path.join(places.root, "adapter");
  await copyFolder(path.join(sources.fixtures, "adapters/plain"), adapter);
  const [config, weights] = ["adapter_config.json", "adapter_model.safetensors"].map((name) =>
    path.join(adapter, name),
  ) as [string, string];
  const settings = await readFile(config, "utf8");
  const bytes = new Uint8Array(await readFile(weights));
  const header = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  return {
    name: "adapter",
    root: places.root,
    async run(random) {
      const part = pick(random, ["settings", "settings", "bytes", "header"]);
      if (part === "settings") await writeFile(config, mutateJson(settings, random));
      if (part === "bytes") await writeFile(weights, mutateBytes(bytes, random, 8 + header));
      if (part === "header") {
        const changed = octets(mutateJson(text(bytes.subarray(8, 8 + header)), random));
        const size = new Uint8Array(8);
        new DataView(size.buffer).setBigUint64(0, BigInt(changed.length), true);
        await writeFile(weights, Buffer.concat([size, changed, bytes.subarray(8 + header)]));
      }
      await importHostile(places, { adapter });
    },
    async restore() {
      await writeFile(config, settings);
      await writeFile(weights, bytes);
      return emptied(places);
    },
  };
}
