import { open } from "node:fs/promises";
import { join } from "node:path";
import { throwIfAborted } from "../../core/errors.ts";
import type { PackLanguage } from "../pack/pack-schema.ts";
import { writePack } from "../pack/write-pack.ts";
import type { Checkpoint, VisionPart } from "./checkpoint.ts";
import { buildDecoderGraphs } from "./decoder-graph.ts";
import { modelBytes } from "./graph-builder.ts";
import { importedCard } from "./imported-card.ts";
import { precisionRules, type PackPrecision } from "./pack-precision.ts";
import { refuseUnusedTensors, trackUse } from "./tensor-use.ts";
import { buildVisionGraph, imageTokens, tokenGrid } from "./vision-graph.ts";
import { WeightFiles } from "./weight-files.ts";
import { finishWorkFolder } from "./work-folder.ts";

/** Larger weight files are awkward to keep and to copy. */
const shippedFileLimit = 44_000_000;

export interface WriteOptions {
  /** Of the pack. */
  readonly name: string;
  readonly precision: PackPrecision;
  readonly folder: string;
  readonly signal: AbortSignal;
  /** Bytes that a weight file may have; by default what suits the precision. */
  readonly fileLimit?: number;
}

/** Writes everything that a pack holds into an empty folder. */
export async function writeContents(checkpoint: Checkpoint, options: WriteOptions): Promise<void> {
  const { folder, name, signal } = options;
  const { config, tokenizer, vision } = checkpoint;
  await writeLanguage(checkpoint, options);
  if (vision !== null) await writeVision(vision, config.hidden, options);
  await writeWhole(join(folder, "tokenizer.json"), jsonBytes(tokenizer.json));
  await writeWhole(join(folder, "tokenizer_config.json"), jsonBytes(tokenizer.config));
  throwIfAborted(signal);
  await finishWorkFolder(folder);
  const language: PackLanguage = {
    vocabulary: config.vocabulary,
    hidden: config.hidden,
    layers: config.layers,
    context_length: config.contextLength,
    embed: "embed.onnx",
    decoder: "decoder.onnx",
    tokenizer: "tokenizer.json",
    tokenizer_config: "tokenizer_config.json",
    stop_tokens: [...checkpoint.stopTokens],
  };
  const common = { name, version: "1", licence: checkpoint.licence, architecture: checkpoint.architecture };
  if (vision === null) {
    await writePack(folder, { ...common, kind: "language-model", language });
    return;
  }
  await writePack(folder, {
    ...common,
    kind: "vision-language",
    base: null,
    language,
    decoder: null,
    vision: "vision.onnx",
    image: { ...imageBlock(vision.image), tokens: imageTokens(vision), grid: [...tokenGrid(vision)] },
    image_token: vision.imageToken,
    prompt: vision.prompt,
    max_views: vision.maxViews,
    intended_for: [],
    references: [],
    calibration: null,
    card: importedCard(checkpoint, vision),
  });
}

function imageBlock({ mean, std, pad_value: pad, ...rest }: VisionPart["image"]) {
  const three = (values: readonly number[]): [number, number, number] => [
    values[0] ?? 0,
    values[1] ?? 0,
    values[2] ?? 0,
  ];
  return {
    ...rest,
    mean: three(mean),
    std: three(std),
    pad_value: typeof pad === "number" ? pad : three(pad),
  };
}

async function writeLanguage(checkpoint: Checkpoint, options: WriteOptions): Promise<void> {
  const { folder, precision, signal } = options;
  const { used, tensors } = trackUse(checkpoint.tensors);
  await withWeightFiles({ ...options, stem: "weights" }, async (files) => {
    const writer = { tensors, files, signal };
    const rule = precisionRules(precision).language;
    const graphs = await buildDecoderGraphs({ config: checkpoint.config, writer, precision: rule });
    refuseUnusedTensors(tensors, used, checkpoint.config.tiedEmbedding ? ["lm_head.weight"] : []);
    await files.close();
    await writeWhole(join(folder, "embed.onnx"), modelBytes(graphs.embed));
    await writeWhole(join(folder, "decoder.onnx"), modelBytes(graphs.decoder));
  });
}

async function writeVision(part: VisionPart, hidden: number, options: WriteOptions): Promise<void> {
  const { folder, precision, signal } = options;
  await withWeightFiles({ ...options, stem: "vision" }, async (files) => {
    const rule = precisionRules(precision).vision;
    const graph = await buildVisionGraph({
      vision: part,
      hidden,
      writer: { files, signal },
      precision: rule,
    });
    await files.close();
    await writeWhole(join(folder, "vision.onnx"), modelBytes(graph));
  });
}

async function withWeightFiles(
  { folder, precision, stem, fileLimit }: WriteOptions & { readonly stem: string },
  write: (files: WeightFiles) => Promise<void>,
): Promise<void> {
  const limit = fileLimit ?? (precision === "float32" ? Infinity : shippedFileLimit);
  const files = await WeightFiles.open({ folder, stem, fileLimit: limit });
  try {
    await write(files);
  } catch (thrown) {
    await files.abandon();
    throw thrown;
  }
}

function jsonBytes(value: object): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value)}\n`);
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, "w");
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
