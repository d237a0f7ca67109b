import { createReadStream } from "node:fs";
import { open, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { AppError, appError, throwIfAborted } from "../../../core/errors.ts";
import type { ModelProto } from "../../onnx/onnx-proto.ts";
import {
  checkGraphReferences,
  exportedGraphLimit,
  externalLocations,
  parseGraph,
} from "../../pack/graph-references.ts";
import type { BaseConfigs } from "../base-configs.ts";
import { describePack } from "../describe-pack.ts";
import { hfDecoderConfig } from "../hf-decoder.ts";
import { readJson } from "../hf-files.ts";
import { readHfTokenizer } from "../hf-tokenizer.ts";
import type { TensorSource } from "../tensor-source.ts";
import { imageTokens } from "../vision-graph.ts";
import { readLlava } from "../whole-models/llava.ts";
import type { ModelFolder, ModelParts } from "../whole-models/model-folder.ts";
import { checkDecoderPorts, checkEmbedPorts, checkVisionPorts } from "./check-graphs.ts";
import type { ExportFiles } from "./export-files.ts";

export interface AdoptOptions {
  readonly source: string;
  /** Of the pack. */
  readonly name: string;
  /** Empty; the pack is made in it. */
  readonly folder: string;
  readonly bases: BaseConfigs;
  readonly signal: AbortSignal;
}

/**
 * A pack whose graphs are those of an export in the layout of transformers.js, copied and not changed. Yields the
 * fraction copied. @throws file-not-found, model-file-damaged, architecture-not-supported, cancelled
 */
export async function* adoptExport(
  files: ExportFiles,
  { source, name, folder, bases, signal }: AdoptOptions,
): AsyncGenerator<number, void, void> {
  const json = await readJson(source, "config.json");
  const tokenizer = await readHfTokenizer(source);
  const parts = await readParts({ folder: source, json, tokenizer, bases, tensors: noTensors }, files);
  const { config, vision } = parts;
  const graphs = [files.embed, files.decoder, ...(files.vision === null ? [] : [files.vision])];
  const copied = new Map<string, string>();
  for (const path of graphs) {
    throwIfAborted(signal);
    const model = await readGraphFile(join(source, path));
    if (path === files.embed) checkEmbedPorts(model, config);
    else if (path === files.decoder) checkDecoderPorts(model, config);
    else if (vision !== null) {
      const { height, width } = vision.image;
      checkVisionPorts(model, { height, width, tokens: imageTokens(vision), hidden: config.hidden });
    }
    for (const file of [path, ...(await dataFiles(source, model))])
      copied.set(basename(file), join(source, file));
  }
  yield* copyAll(copied, folder, signal);
  await describePack(
    {
      ...parts,
      tokenizer: { json: tokenizer.json, config: parts.tokenizerConfig ?? tokenizer.config },
      stopTokens: tokenizer.stopTokens,
      licence: "not stated",
    },
    {
      name,
      folder,
      signal,
      graphs: {
        embed: basename(files.embed),
        decoder: basename(files.decoder),
        vision: basename(files.vision ?? ""),
        layout: "transformers-js",
      },
    },
  );
}

/** The weights are in the graphs: what is read off tensors elsewhere comes from config.json. */
const noTensors: TensorSource = {
  tensors: new Map(),
  readRows: () => Promise.reject(appError("internal", "An export has no tensors of its own.")),
  close: async () => undefined,
};

async function readParts(model: ModelFolder, { vision }: ExportFiles): Promise<ModelParts> {
  const { architectures } = model.json as { architectures?: unknown };
  const name: unknown = Array.isArray(architectures) ? architectures[0] : undefined;
  if (name === "LlavaForConditionalGeneration" && vision !== null) return readLlava(model);
  if (vision !== null || typeof name !== "string" || !name.endsWith("ForCausalLM")) {
    throw appError(
      "architecture-not-supported",
      `ONNX exports of ${String(name).slice(0, 100)} cannot be used as they are. Those of LLaVA and of language models ` +
        "alone can; take the safetensors folder.",
    );
  }
  const config = hfDecoderConfig(model.json);
  return { architecture: name, config, tensors: noTensors, vision: null, tokenizerConfig: null };
}

async function readGraphFile(path: string): Promise<ModelProto> {
  const { size } = await stat(path);
  if (size > exportedGraphLimit) throw damaged(`${basename(path)} is larger than a graph can be`);
  try {
    return parseGraph(await readFile(path));
  } catch (cause) {
    throw damaged(`${basename(path)} is not an ONNX graph`, cause);
  }
}

/** Files beside the graphs that hold their weights; what a graph says about them is checked first. */
async function dataFiles(source: string, model: ModelProto): Promise<string[]> {
  try {
    const names = externalLocations(model);
    checkGraphReferences(model, await dataSizes(source, names));
    return [...names].map((name) => `onnx/${name}`);
  } catch (thrown) {
    if (!(thrown instanceof AppError) || thrown.code !== "pack-damaged") throw thrown;
    throw damaged("a graph uses what packs may not use, or its weights do not lie where it says", thrown);
  }
}

async function dataSizes(source: string, names: ReadonlySet<string>): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for (const name of names) {
    if (!/^[a-z0-9_][\w.+-]{0,99}$/i.test(name)) throw damaged("a graph names a file outside its folder");
    const info = await stat(join(source, "onnx", name)).catch(() => null);
    if (info?.isFile() !== true) throw appError("file-not-found", `The export lacks onnx/${name}.`);
    sizes.set(name, info.size);
  }
  return sizes;
}

async function* copyAll(
  files: ReadonlyMap<string, string>,
  folder: string,
  signal: AbortSignal,
): AsyncGenerator<number, void, void> {
  const sizes = await Promise.all([...files.values()].map(async (path) => (await stat(path)).size));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let done = 0;
  for (const [name, path] of files) {
    const target = await open(join(folder, name), "w");
    try {
      for await (const block of createReadStream(path, { highWaterMark: 1024 * 1024, signal })) {
        await target.writeFile(block as Buffer);
        done += (block as Buffer).length;
        yield Math.min(1, done / total);
      }
      await target.sync();
    } catch (thrown) {
      throwIfAborted(signal);
      throw thrown;
    } finally {
      await target.close();
    }
  }
}

function damaged(what: string, cause?: unknown): AppError {
  return appError("model-file-damaged", `The ONNX export is damaged: ${what}.`, cause);
}
