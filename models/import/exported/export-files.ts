import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { appError } from "../../../core/errors.ts";

/** Graph files of an export for transformers.js, by their place in its folder. */
export interface ExportFiles {
  readonly embed: string;
  readonly decoder: string;
  /** Null: a language model alone. */
  readonly vision: string | null;
}

/**
 * Endings of the variants that can be run, the first that exists is taken: 4-bit weights before float32, 8-bit ones
 * last, because they lose most. Those in half precision (fp16, q4f16) have other inputs.
 */
const variants = ["_q4", "", "_quantized", "_int8", "_uint8"];

/**
 * Null: the folder is no such export, or holds the weights themselves, of which a better pack can be made.
 * @throws file-not-found where half of one is there
 */
export async function findExport(folder: string): Promise<ExportFiles | null> {
  const names = await readdir(folder).catch(() => []);
  if (names.some((name) => name.endsWith(".safetensors"))) return null;
  const decoder = await firstOf(folder, "decoder_model_merged");
  if (decoder === null) return null;
  const embed = await firstOf(folder, "embed_tokens");
  if (embed === null) {
    throw appError("file-not-found", "The export lacks onnx/embed_tokens.onnx beside its decoder.");
  }
  return { embed, decoder, vision: await firstOf(folder, "vision_encoder") };
}

async function firstOf(folder: string, stem: string): Promise<string | null> {
  for (const variant of variants) {
    const path = `onnx/${stem}${variant}.onnx`;
    const info = await stat(join(folder, path)).catch(() => null);
    if (info?.isFile() === true) return path;
  }
  return null;
}
