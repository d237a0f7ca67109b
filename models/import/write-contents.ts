import { join } from "node:path";
import type { Checkpoint, VisionPart } from "./checkpoint.ts";
import { buildDecoderGraphs } from "./decoder-graph.ts";
import { describePack, writeWhole } from "./describe-pack.ts";
import { modelBytes } from "./graph-builder.ts";
import { precisionRules, type KeyValuePrecision, type PackPrecision } from "./pack-precision.ts";
import { quantiseCache } from "./quantise-cache.ts";
import { refuseUnusedTensors, trackUse } from "./tensor-use.ts";
import { buildVisionGraph } from "./vision-graph.ts";
import { WeightFiles } from "./weight-files.ts";

/** Larger weight files are awkward to keep and to copy. */
const shippedFileLimit = 44_000_000;

export interface WriteOptions {
  /** Of the pack. */
  readonly name: string;
  readonly precision: PackPrecision;
  /** What the decoder keeps keys and values as; absent: float32. */
  readonly kvCache?: KeyValuePrecision | undefined;
  readonly folder: string;
  readonly signal: AbortSignal;
  /** Called with the fraction of the layers whose keys and values were measured. */
  readonly cacheMeasured?: (fraction: number) => void;
  /** Bytes that a weight file may have; by default what suits the precision. */
  readonly fileLimit?: number;
}

/** Writes everything that a pack holds into an empty folder. */
export async function writeContents(checkpoint: Checkpoint, options: WriteOptions): Promise<void> {
  const { config, vision } = checkpoint;
  await writeLanguage(checkpoint, options);
  if (vision !== null) await writeVision(vision, config.hidden, options);
  if (options.kvCache === "int8") {
    const { folder, signal, cacheMeasured } = options;
    for await (const fraction of quantiseCache(checkpoint, { folder }, signal)) cacheMeasured?.(fraction);
  }
  await describePack(checkpoint, {
    ...options,
    graphs: { embed: "embed.onnx", decoder: "decoder.onnx", vision: "vision.onnx" },
  });
}

async function writeLanguage(checkpoint: Checkpoint, options: WriteOptions): Promise<void> {
  const { folder, precision, signal } = options;
  const { used, tensors } = trackUse(checkpoint.tensors);
  await withWeightFiles({ ...options, stem: "weights" }, async (files) => {
    const writer = { tensors, files, signal };
    const rule = precisionRules(precision, checkpoint.config.layers).language;
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
    const rule = precisionRules(precision, 0).vision;
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
