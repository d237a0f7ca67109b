import { open } from "node:fs/promises";
import { join } from "node:path";
import { throwIfAborted } from "../../core/errors.ts";
import type { PackLanguage } from "../pack/pack-schema.ts";
import { writePack } from "../pack/write-pack.ts";
import type { Checkpoint, VisionPart } from "./checkpoint.ts";
import { importedCard } from "./imported-card.ts";
import { imageTokens, tokenGrid } from "./vision-graph.ts";
import { finishWorkFolder } from "./work-folder.ts";

export interface PackDescription {
  /** Of the pack. */
  readonly name: string;
  readonly folder: string;
  readonly signal: AbortSignal;
  /** Files that lie in the folder already. */
  readonly graphs: Pick<PackLanguage, "embed" | "decoder" | "layout"> & { readonly vision: string };
}

/** What a pack needs beside its graphs and weights: tokenizer, and pack.json over everything in the folder. */
export async function describePack(
  checkpoint: Omit<Checkpoint, "tensors" | "close">,
  { name, folder, signal, graphs }: PackDescription,
): Promise<void> {
  const { config, tokenizer, vision } = checkpoint;
  await writeWhole(join(folder, "tokenizer.json"), jsonBytes(tokenizer.json));
  await writeWhole(join(folder, "tokenizer_config.json"), jsonBytes(tokenizer.config));
  throwIfAborted(signal);
  await finishWorkFolder(folder);
  const { vision: visionGraph, ...languageGraphs } = graphs;
  const language: PackLanguage = {
    vocabulary: config.vocabulary,
    hidden: config.hidden,
    layers: config.layers,
    context_length: config.contextLength,
    ...languageGraphs,
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
    vision: visionGraph,
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

function jsonBytes(value: object): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value)}\n`);
}

export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, "w");
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
