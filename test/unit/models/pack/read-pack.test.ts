import { cp, link, mkdir, readFile, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { GraphBuilder, modelBytes } from "../../../../models/import/graph-builder.ts";
import {
  findLanguagePack,
  findPacks,
  readLanguagePack,
  readPack,
} from "../../../../models/pack/read-pack.ts";
import { writePack } from "../../../../models/pack/write-pack.ts";
import { checkedPack, fixtures, never, runImport, temporaryFolder } from "../import/imported-language.ts";
import { tinySummary, tinyVision } from "../tiny-pack.ts";

const damaged = expect.objectContaining({ code: "pack-damaged" });

describe("opening a pack", () => {
  let origin: Awaited<ReturnType<typeof temporaryFolder>>;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let base: string;
  let pack: string;

  beforeAll(async () => {
    origin = await temporaryFolder();
    const source = path.join(fixtures, "tiny-llama.gguf");
    const made = await runImport({ source, targetFolder: origin.path, name: "tiny-base" });
    await writeVisionPack(path.join(origin.path, "tiny-vision"), (await checkedPack(made)).opened.digest);
  });
  afterAll(() => origin.remove());

  beforeEach(async () => {
    folder = await temporaryFolder();
    await cp(origin.path, folder.path, { recursive: true });
    base = path.join(folder.path, "tiny-base");
    pack = path.join(folder.path, "tiny-vision");
    return () => folder.remove();
  });

  it("gives its graphs, tokenizer, template and card", async () => {
    const contents = await readPack(pack, never);
    expect(contents.summary).toMatchObject({ name: "tiny-vision", calibrated: false, contextLength: 128 });
    expect(contents.graphs.decoder).toMatchObject({ dataFolder: base });
    expect(contents.graphs.vision).toMatchObject({ dataFolder: pack });
    expect(contents.stopTokens).toContain("<|im_end|>");
    expect(contents.chatTemplate.tokens).toMatchObject({ eos_token: "<|im_end|>" });
  });

  it("lists packs that can be asked, and passes over folders that hold none", async () => {
    await mkdir(path.join(folder.path, "empty"));
    await mkdir(path.join(folder.path, "broken"));
    await writeFile(path.join(folder.path, "broken/pack.json"), "{");
    const found = await findPacks([folder.path, path.join(folder.path, "missing")], never);
    expect(found.map(({ summary }) => [summary.name, summary.contextLength])).toEqual([["tiny-vision", 128]]);
  });

  it("finds the language model that packs are built on by its name, and no pack that can be asked", async () => {
    const folders = [path.join(folder.path, "missing"), folder.path];
    expect(await findLanguagePack(folders, "tiny-base")).toBe(base);
    expect(await findLanguagePack(folders, "tiny-vision")).toBeNull();
    expect(await findLanguagePack(folders, "tiny")).toBeNull();
    const { summary, source } = await readLanguagePack(base, never, null);
    expect(summary.name).toBe("tiny-base");
    expect(source).toMatchObject({ contextLength: 128, decoder: { dataFolder: base } });
  });

  it("takes an unsigned language model only where unsigned packs are allowed", async () => {
    const trust = { keys: [], certificates: [], unsigned: "refuse" } as const;
    await expect(readLanguagePack(base, never, trust)).rejects.toMatchObject({ code: "pack-untrusted" });
  });

  it("refuses a weight with one bit changed", async () => {
    await flipBit(path.join(base, "weights-0.bin"), 1000);
    await expect(readPack(pack, never)).rejects.toEqual(damaged);
  });

  it("refuses a file that became shorter", async () => {
    await truncate(path.join(base, "weights-0.bin"), 100);
    await expect(readPack(pack, never)).rejects.toEqual(damaged);
  });

  it("refuses a base that is not the one it was made with", async () => {
    const file = path.join(base, "pack.json");
    await writeFile(file, (await readFile(file, "utf8")).replace('"version": "1"', '"version": "2"'));
    await expect(readPack(pack, never)).rejects.toEqual(damaged);
  });

  it("refuses a missing base", async () => {
    await rm(base, { recursive: true });
    await expect(readPack(pack, never)).rejects.toEqual(damaged);
  });

  it("refuses a symbolic link in place of a file, even to the same bytes", async () => {
    const file = path.join(base, "weights-0.bin");
    await rename(file, path.join(folder.path, "outside.bin"));
    await symlink(path.join(folder.path, "outside.bin"), file);
    await expect(readPack(pack, never)).rejects.toEqual(damaged);
  });

  it("refuses a hard link, which could alias a file outside", async () => {
    await link(path.join(base, "weights-0.bin"), path.join(folder.path, "alias.bin"));
    await expect(readPack(pack, never)).rejects.toEqual(damaged);
  });

  it("refuses a linked folder inside a pack", async () => {
    await mkdir(path.join(pack, "below"));
    await writeFile(path.join(pack, "below/file.txt"), "text");
    await changePack(pack, () => undefined);
    await readPack(pack, never);
    await rename(path.join(pack, "below"), path.join(folder.path, "below"));
    await symlink(path.join(folder.path, "below"), path.join(pack, "below"));
    await expect(readPack(pack, never)).rejects.toEqual(damaged);
  });

  it.each(["../tiny-base/weights-0.bin", "/etc/hostname", "C:\\x", "a/../../b", "nul", "a//b", ""])(
    "refuses the file path %j in pack.json",
    async (name) => {
      const file = path.join(pack, "pack.json");
      const json = JSON.parse(await readFile(file, "utf8")) as { files: { path: string }[] };
      json.files[0]!.path = name;
      await writeFile(file, JSON.stringify(json));
      await expect(readPack(pack, never)).rejects.toEqual(damaged);
    },
  );

  it("refuses a base that is not a sibling by its plain name", async () => {
    const file = path.join(pack, "pack.json");
    const json = JSON.parse(await readFile(file, "utf8")) as { base: { path: string } };
    json.base.path = "../../elsewhere/tiny-base";
    await writeFile(file, JSON.stringify(json));
    await expect(readPack(pack, never)).rejects.toEqual(damaged);
  });

  it("stops when it is cancelled", async () => {
    await expect(readPack(pack, AbortSignal.abort())).rejects.toMatchObject({ code: "cancelled" });
  });

  it.each([
    { location: "../tiny-base/weights-0.bin", offset: 0, length: 64 },
    { location: "/etc/hostname", offset: 0, length: 64 },
    { location: "weights.bin", offset: 0, length: 64 },
    { location: "data.bin", offset: 64, length: 64 },
    { location: "data.bin", offset: 0, length: 32 },
    { location: "data.bin", offset: -1, length: 64 },
    { location: "data.bin", offset: 2 ** 52, length: 64 },
  ])("refuses a graph whose weights lie at %o", async (data) => {
    await writeFile(path.join(pack, "vision.onnx"), graphOver(data));
    await changePack(pack, () => undefined);
    await expect(readPack(pack, never)).rejects.toEqual(damaged);
  });

  it("takes a graph whose weights lie inside the pack", async () => {
    await writeFile(
      path.join(pack, "vision.onnx"),
      graphOver({ location: "data.bin", offset: 0, length: 64 }),
    );
    await changePack(pack, () => undefined);
    await expect(readPack(pack, never)).resolves.toMatchObject({ folder: pack });
  });

  it("refuses an operator that names files of its own", async () => {
    const graph = new GraphBuilder("context");
    graph.node({ name: "x", op: "EPContext", inputs: [] });
    await writeFile(path.join(pack, "vision.onnx"), modelBytes(graph.model()));
    await changePack(pack, () => undefined);
    await expect(readPack(pack, never)).rejects.toEqual(damaged);
  });
});

function graphOver(data: { location: string; offset: number; length: number }): Uint8Array {
  const graph = new GraphBuilder("outside");
  graph.external({ name: "w", type: "float32", shape: [16] }, data);
  graph.node({ name: "image_embeddings", op: "Identity", inputs: ["w"] });
  graph.output("image_embeddings", "float32", [16]);
  return modelBytes(graph.model());
}

async function writeVisionPack(target: string, digest: string): Promise<void> {
  await mkdir(target);
  await writeFile(path.join(target, "vision.onnx"), tinyVision());
  await writeFile(path.join(target, "data.bin"), new Uint8Array(64));
  await writePack(target, {
    kind: "vision-language",
    name: "tiny-vision",
    version: "1",
    licence: "Apache-2.0",
    architecture: "tiny",
    base: { name: "tiny-base", path: "../tiny-base", digest },
    language: null,
    decoder: null,
    vision: "vision.onnx",
    image: {
      height: 64,
      width: 64,
      tokens: 16,
      grid: [4, 4],
      resize: "pad",
      interpolation: "bilinear-antialias",
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
      pad_value: 0,
      channels: "gray-replicated",
    },
    image_token: "<|image|>",
    max_views: 1,
    intended_for: [],
    references: [],
    calibration: null,
    card: tinySummary.card,
  });
}

/** Digests again after a file changed: what an attacker who writes the whole pack can do too. */
async function changePack(target: string, change: (pack: Record<string, unknown>) => void): Promise<void> {
  const pack = JSON.parse(await readFile(path.join(target, "pack.json"), "utf8")) as Record<string, unknown>;
  change(pack);
  delete pack["files"];
  await writePack(target, pack as never);
}

async function flipBit(file: string, at: number): Promise<void> {
  const bytes = await readFile(file);
  bytes[at] = (bytes[at] as number) ^ 4;
  await writeFile(file, bytes);
}
