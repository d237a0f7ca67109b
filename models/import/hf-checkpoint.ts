import { appError } from "../../core/errors.ts";
import type { BaseConfigs } from "./base-configs.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { hfDecoderConfig } from "./hf-decoder.ts";
import { openShards, readJson } from "./hf-files.ts";
import { readHfTokenizer } from "./hf-tokenizer.ts";
import { wholeModelReader } from "./whole-models/known-models.ts";
import type { ModelParts } from "./whole-models/model-folder.ts";

/**
 * A folder as HF transformers writes it: config.json, tokenizer.json, one or several safetensors files.
 * @throws file-not-found, model-file-damaged, architecture-not-supported
 */
export async function openHfCheckpoint(folder: string, bases: BaseConfigs): Promise<Checkpoint> {
  const json = await readJson(folder, "config.json");
  refuseQuantised(json);
  const read = wholeModelReader(json);
  // What cannot be imported is refused before gigabytes are looked at.
  const alone = read === null ? hfDecoderConfig(json) : null;
  const tokenizer = await readHfTokenizer(folder);
  const tensors = await openShards(folder);
  try {
    const parts: ModelParts =
      read === null || alone !== null
        ? languageAlone(alone ?? hfDecoderConfig(json), tensors)
        : await read({ folder, json, tensors, tokenizer, bases });
    return {
      ...parts,
      tokenizer: { json: tokenizer.json, config: parts.tokenizerConfig ?? tokenizer.config },
      stopTokens: tokenizer.stopTokens,
      licence: "not stated",
      close: () => tensors.close(),
    };
  } catch (thrown) {
    await tensors.close();
    throw thrown;
  }
}

function languageAlone(config: ModelParts["config"], tensors: ModelParts["tensors"]): ModelParts {
  return { architecture: config.architecture, config, tensors, vision: null, tokenizerConfig: null };
}

/** GPTQ, AWQ, bitsandbytes, FP8: their tensors are other numbers under other names. */
function refuseQuantised(json: object): void {
  const quantised: unknown = (json as { quantization_config?: unknown }).quantization_config;
  if (quantised === undefined || quantised === null) return;
  throw appError(
    "architecture-not-supported",
    "The checkpoint is quantised already (quantization_config in config.json). Import the 16-bit one it was made of.",
  );
}
