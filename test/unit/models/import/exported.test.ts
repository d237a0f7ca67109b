import {
  appendFile,
  copyFile,
  link,
  mkdir,
  readFile,
  rm,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import path from "node:path";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ModelProtoSchema, type ModelProto } from "../../../../models/onnx/onnx-proto.ts";
import type { PackContents } from "../../../../models/pack/pack-contents.ts";
import { readPack } from "../../../../models/pack/read-pack.ts";
import type { LanguageModel } from "../../../../models/runtime/backend.ts";
import { openLanguageModel } from "../../../../models/runtime/open-language.ts";
import { PromptReader, type PromptPart } from "../../../../models/runtime/prompt-reader.ts";
import { OrtVisionModel } from "../../../../models/runtime/vision-model.ts";
import {
  fixtures,
  fixtureSource,
  floats,
  logitsOf,
  never,
  relativeDifference,
  runImport,
  sayGreedily,
  temporaryFolder,
} from "./imported-language.ts";

/** The export (make-export-fixture.py) must compute what HF transformers does with the same weights. */
interface Expected {
  readonly pixels: string;
  readonly embeddings: string;
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly rows: readonly number[];
  readonly logits: string;
  readonly greedy: readonly number[];
}

const cpu = { provider: null, threads: 1 } as const;
const expected = JSON.parse(
  await readFile(path.join(fixtures, "whole-models/llava/expected.json"), "utf8"),
) as Expected;

const exportIn = (folder: string) => fixtureSource("exports/llava", folder);

function promptOf(language: LanguageModel, tokens: number): PromptPart[] {
  const values = floats(expected.embeddings);
  return [
    { type: "text", ids: expected.before },
    { type: "image", image: { tokens, hidden: language.hidden, values } },
    { type: "text", ids: expected.after },
  ];
}

describe("an export in the layout of transformers.js", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: string;
  let pack: PackContents;
  let language: LanguageModel;
  let vision: OrtVisionModel;

  beforeAll(async () => {
    folder = await temporaryFolder();
    source = await exportIn(folder.path);
    const targetFolder = path.join(folder.path, "packs");
    pack = await readPack(await runImport({ source, targetFolder, name: "exported" }), never);
    const { graphs, vocabulary, layout, image, summary } = pack;
    language = await openLanguageModel(
      { ...graphs, layout, vocabulary, contextLength: summary.contextLength },
      cpu,
    );
    const { width, height, tokens } = image;
    const { hidden } = language;
    vision = await OrtVisionModel.open({ graph: graphs.vision, width, height, tokens, hidden }, cpu);
  });
  afterAll(async () => {
    await vision?.dispose();
    await language?.dispose();
    await folder.remove();
  });

  it("is taken over to the byte", async () => {
    for (const name of [
      "decoder_model_merged.onnx",
      "decoder_model_merged.onnx_data",
      "vision_encoder.onnx",
    ]) {
      const ours = await readFile(path.join(pack.folder, name));
      expect(ours.equals(await readFile(path.join(source, "onnx", name)))).toBe(true);
    }
    expect(pack).toMatchObject({ layout: "transformers-js", image: { tokens: 16, grid: [4, 4] } });
  });

  it("gives HF transformers' image embeddings within 1e-3", async () => {
    const ours = await vision.encode(floats(expected.pixels), 1, never);
    expect(relativeDifference(ours, floats(expected.embeddings))).toBeLessThan(1e-3);
  });

  it("gives HF transformers' logits within 1e-3 around the image, and its greedy tokens", async () => {
    const reader = new PromptReader(language);
    const prompt = { parts: promptOf(language, vision.tokens), rows: expected.rows };
    const { logits } = await reader.read(prompt, never);
    const worst = relativeDifference(logits, floats(expected.logits));
    if (process.env["PARITY_FIGURES"] !== undefined) console.log(`export ${worst.toExponential(1)}`);
    expect(worst).toBeLessThan(1e-3);
    const count = expected.greedy.length;
    const said = await sayGreedily(reader, { logits, vocabulary: language.vocabulary, count });
    await reader.dispose();
    expect(said).toEqual(expected.greedy);
  });

  it("reads again only what a second question changes, with the same logits", async () => {
    const parts = promptOf(language, vision.tokens);
    const rows = [expected.rows.at(-1) as number];
    const reader = new PromptReader(language);
    const first = await reader.read({ parts, rows }, never);
    const again = await reader.read({ parts, rows }, never);
    await reader.dispose();
    expect(first.reused).toBe(0);
    expect(again.reused).toBeGreaterThan(vision.tokens);
    expect(relativeDifference(again.logits, first.logits)).toBeLessThan(1e-4);
  });

  it("goes on with kept tokens as with its own", async () => {
    const ids = expected.after;
    const whole = await logitsOf(language, ids);
    const [cache, other] = [language.createCache(), language.createCache()];
    await language.forward(
      { cache, embeddings: await language.embed(ids.slice(0, 4), never), rows: [] },
      never,
    );
    other.append(cache.copy(0, 2)!);
    other.append(cache.copy(2, 4)!);
    const embeddings = await language.embed(ids.slice(4), never);
    const row = await language.forward({ cache: other, embeddings, rows: [ids.length - 5] }, never);
    expect(relativeDifference(row, whole.at(-1)!)).toBeLessThan(1e-4);
    await cache.dispose();
    await other.dispose();
  });

  it("leaves the cache as it was when a run is cancelled", async () => {
    const cache = language.createCache();
    const embeddings = await language.embed([5, 6, 7], never);
    await language.forward({ cache, embeddings, rows: [] }, never);
    await expect(
      language.forward({ cache, embeddings, rows: [2] }, AbortSignal.abort()),
    ).rejects.toMatchObject({ code: "cancelled" });
    expect(cache.length).toBe(3);
    await cache.dispose();
  });
});

describe("an export that is not what it should be", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: string;

  beforeEach(async () => {
    folder = await temporaryFolder();
    source = await exportIn(folder.path);
  });
  afterEach(() => folder.remove());

  const graph = (name: string) => path.join(source, "onnx", `${name}.onnx`);
  const decoder = "decoder_model_merged";

  async function change(name: string, edit: (model: ModelProto) => void): Promise<void> {
    const model = fromBinary(ModelProtoSchema, await readFile(graph(name)));
    edit(model);
    await writeFile(graph(name), toBinary(ModelProtoSchema, model));
  }

  async function changeConfig(edit: (json: Record<string, unknown>) => void): Promise<void> {
    const file = path.join(source, "config.json");
    const json = JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;
    edit(json);
    await writeFile(file, JSON.stringify(json));
  }

  function location(model: ModelProto, value: string): void {
    for (const tensor of model.graph?.initializer ?? [])
      for (const entry of tensor.externalData) if (entry.key === "location") entry.value = value;
  }

  const elementType = (model: ModelProto, name: string, type: number) => {
    const kind = model.graph?.input.find((one) => one.name === name)?.type?.value;
    if (kind?.case === "tensorType") kind.value.elemType = type;
  };

  it.each<[string, string, () => Promise<unknown>]>([
    ["lacks its embedding", "file-not-found", () => rm(graph("embed_tokens"))],
    ["lacks its weights", "file-not-found", () => rm(path.join(source, "onnx", `${decoder}.onnx_data`))],
    ["is cut off", "model-file-damaged", () => truncate(graph(decoder), 5000)],
    [
      "has its weights cut off",
      "model-file-damaged",
      () => truncate(path.join(source, "onnx", `${decoder}.onnx_data`), 100),
    ],
    ["is no graph", "model-file-damaged", () => writeFile(graph("embed_tokens"), "not a graph")],
    [
      "names a file outside its folder",
      "model-file-damaged",
      () => change(decoder, (model) => location(model, "../config.json")),
    ],
    [
      "has an input that nobody knows",
      "architecture-not-supported",
      () => change(decoder, (model) => void (model.graph!.input[2]!.name = "use_cache_branch")),
    ],
    [
      "computes in half precision",
      "architecture-not-supported",
      () => change(decoder, (model) => elementType(model, "inputs_embeds", 10)),
    ],
    [
      "has another output than the features of images",
      "architecture-not-supported",
      () => change("vision_encoder", (model) => void (model.graph!.output[0]!.name = "pooler_output")),
    ],
    [
      "runs code of its own",
      "model-file-damaged",
      () => change(decoder, (model) => void (model.graph!.node[0]!.domain = "evil.ops")),
    ],
    [
      "has more layers than config.json says",
      "architecture-not-supported",
      () =>
        changeConfig(
          (json) => void ((json["text_config"] as { num_hidden_layers: number }).num_hidden_layers = 1),
        ),
    ],
    [
      "has other heads than config.json says",
      "model-file-damaged",
      () =>
        changeConfig(
          (json) => void ((json["text_config"] as { num_key_value_heads: number }).num_key_value_heads = 2),
        ),
    ],
    [
      "is of an architecture that is not adopted",
      "architecture-not-supported",
      () => changeConfig((json) => void (json["architectures"] = ["Idefics3ForConditionalGeneration"])),
    ],
  ])("and %s is refused by name, and leaves nothing", async (_, code, damage) => {
    await damage();
    const targetFolder = path.join(folder.path, "packs");
    await mkdir(targetFolder);
    await expect(runImport({ source, targetFolder, name: "bad" })).rejects.toMatchObject({ code });
    await expect(readFile(path.join(targetFolder, "bad/pack.json"))).rejects.toMatchObject({
      code: "ENOENT",
    });
    await expect(readFile(path.join(targetFolder, "bad.importing/importing.json"))).rejects.toMatchObject({
      code: "ENOENT",
    });
  });

  it.each<[string, (file: string, outside: string) => Promise<unknown>]>([
    ["longer weights", (file) => appendFile(file, "x")],
    ["a symbolic link for its weights", (file, outside) => rm(file).then(() => symlink(outside, file))],
    ["a hard link for its weights", (file, outside) => rm(file).then(() => link(outside, file))],
  ])("as a pack with %s is damaged", async (_, damage) => {
    const pack = await runImport({ source, targetFolder: path.join(folder.path, "packs"), name: "pack" });
    const outside = path.join(folder.path, "outside");
    await copyFile(path.join(source, "onnx", `${decoder}.onnx_data`), outside);
    await damage(path.join(pack, `${decoder}.onnx_data`), outside);
    await expect(readPack(pack, never)).rejects.toMatchObject({ code: "pack-damaged" });
  });
});
