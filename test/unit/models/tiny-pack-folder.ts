import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { writePack } from "../../../models/pack/write-pack.ts";
import { tiny, tinyDecoder, tinyEmbedding } from "./tiny-decoder.ts";
import { tinySummary, tinyTemplate, tinyVision, tinyVocabulary } from "./tiny-pack.ts";
import { tinyTokenizerFiles } from "./tiny-tokenizer.ts";

/** The tiny pack as a folder on disk; returns the digest of its pack.json. */
export async function writeTinyPack(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const vocabulary = tinyVocabulary;
  const { tokenizer, config } = tinyTokenizerFiles();
  const files = {
    "embed.onnx": tinyEmbedding({ vocabulary }),
    "decoder.onnx": tinyDecoder({ vocabulary }),
    "vision.onnx": tinyVision(),
    "tokenizer.json": JSON.stringify(tokenizer),
    "tokenizer_config.json": JSON.stringify({ ...config, chat_template: tinyTemplate }),
  };
  for (const [name, content] of Object.entries(files)) await writeFile(path.join(folder, name), content);
  return writePack(folder, {
    kind: "vision-language",
    name: path.basename(folder),
    version: tinySummary.version,
    licence: tinySummary.licence,
    architecture: tinySummary.architecture,
    base: null,
    language: {
      vocabulary,
      hidden: tiny.hidden,
      layers: tiny.layers,
      context_length: tiny.context,
      embed: "embed.onnx",
      decoder: "decoder.onnx",
      tokenizer: "tokenizer.json",
      tokenizer_config: "tokenizer_config.json",
      stop_tokens: ["<|im_end|>"],
    },
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
    max_views: tinySummary.maxViews,
    intended_for: tinySummary.intendedFor,
    references: [],
    calibration: null,
    card: tinySummary.card,
  });
}
