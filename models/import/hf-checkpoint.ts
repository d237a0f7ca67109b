import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { appError } from "../../core/errors.ts";
import { openByteSource } from "./byte-source.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { checkDecoderConfig, type DecoderConfig } from "./decoder-config.ts";
import { readSafetensors, type SafetensorsFile } from "./safetensors-reader.ts";
import type { TensorInfo, TensorSource } from "./tensor-source.ts";

const jsonLimit = 128 * 1024 * 1024;
const shardLimit = 1024;

const configSchema = v.object({
  architectures: v.pipe(v.array(v.string()), v.minLength(1)),
  num_hidden_layers: v.number(),
  hidden_size: v.number(),
  intermediate_size: v.number(),
  num_attention_heads: v.number(),
  num_key_value_heads: v.optional(v.number()),
  head_dim: v.optional(v.nullable(v.number())),
  vocab_size: v.number(),
  max_position_embeddings: v.number(),
  rope_theta: v.optional(v.number()),
  rope_scaling: v.optional(v.nullable(v.unknown())),
  rope_parameters: v.optional(
    v.object({ rope_theta: v.optional(v.number()), rope_type: v.optional(v.string()) }),
  ),
  rms_norm_eps: v.number(),
  tie_word_embeddings: v.optional(v.boolean()),
  attention_bias: v.optional(v.boolean()),
  mlp_bias: v.optional(v.boolean()),
  hidden_act: v.optional(v.string()),
});

/** A folder as HF transformers writes it: config.json, tokenizer.json, one or several safetensors files. */
export async function openHfCheckpoint(folder: string): Promise<Checkpoint> {
  const config = readConfig(await readJson(join(folder, "config.json")));
  const json = await readJson(join(folder, "tokenizer.json"));
  const settings = await readTokenizerConfig(folder);
  const tensors = await openShards(folder);
  return {
    config,
    tensors,
    tokenizer: { json, config: settings },
    stopTokens: [endToken(settings)],
    licence: "not stated",
    close: () => tensors.close(),
  };
}

function readConfig(json: object): DecoderConfig {
  const parsed = v.safeParse(configSchema, json);
  if (!parsed.success) {
    throw appError(
      "model-file-damaged",
      `config.json has a wrong value at ${v.getDotPath(parsed.issues[0]) ?? "its top"}.`,
    );
  }
  const config = parsed.output;
  const ropeType = config.rope_parameters?.rope_type ?? "default";
  if ((config.rope_scaling ?? null) !== null || ropeType !== "default") {
    throw appError(
      "architecture-not-supported",
      "Models with scaled rotary positions cannot be imported yet.",
    );
  }
  if (
    config.attention_bias === true ||
    config.mlp_bias === true ||
    (config.hidden_act ?? "silu") !== "silu"
  ) {
    throw appError(
      "architecture-not-supported",
      "Models with biases or another activation than SiLU cannot be imported yet.",
    );
  }
  return checkDecoderConfig({
    architecture: config.architectures[0] as string,
    layers: config.num_hidden_layers,
    hidden: config.hidden_size,
    intermediate: config.intermediate_size,
    heads: config.num_attention_heads,
    kvHeads: config.num_key_value_heads ?? config.num_attention_heads,
    headSize: config.head_dim ?? config.hidden_size / config.num_attention_heads,
    vocabulary: config.vocab_size,
    contextLength: config.max_position_embeddings,
    ropeTheta: config.rope_theta ?? config.rope_parameters?.rope_theta ?? 10_000,
    normEpsilon: config.rms_norm_eps,
    tiedEmbedding: config.tie_word_embeddings ?? false,
  });
}

async function readTokenizerConfig(folder: string): Promise<object> {
  const config = await readJson(join(folder, "tokenizer_config.json"));
  if ("chat_template" in config) return config;
  // Newer checkpoints keep the template in a file of its own.
  const template = await readText(join(folder, "chat_template.jinja")).catch(() => null);
  return template === null ? config : { ...config, chat_template: template };
}

function endToken(config: object): string {
  const token = (config as { eos_token?: unknown }).eos_token;
  const content =
    typeof token === "object" && token !== null ? (token as { content?: unknown }).content : token;
  if (typeof content !== "string")
    throw appError("model-file-damaged", "tokenizer_config.json names no end token.");
  return content;
}

async function readText(path: string): Promise<string> {
  const { size } = await stat(path);
  if (size > jsonLimit)
    throw appError("model-file-damaged", "A settings file of the model is larger than it can be.");
  return readFile(path, "utf8");
}

async function readJson(path: string): Promise<object> {
  const text = await readText(path).catch((cause: unknown) => {
    throw appError("file-not-found", `The model folder lacks ${path.split(/[\\/]/).at(-1)}.`, cause);
  });
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch (cause) {
    throw appError("model-file-damaged", `${path.split(/[\\/]/).at(-1)} is not JSON.`, cause);
  }
  throw appError("model-file-damaged", `${path.split(/[\\/]/).at(-1)} is not a JSON object.`);
}

const indexSchema = v.object({ weight_map: v.record(v.string(), v.string()) });

async function openShards(folder: string): Promise<TensorSource> {
  const index = await readText(join(folder, "model.safetensors.index.json")).catch(() => null);
  const names = index === null ? ["model.safetensors"] : shardNames(index);
  const shards: SafetensorsFile[] = [];
  try {
    for (const name of names) shards.push(await readSafetensors(await openByteSource(join(folder, name))));
    return joinShards(shards);
  } catch (thrown) {
    for (const shard of shards) await shard.close();
    throw thrown;
  }
}

function shardNames(index: string): string[] {
  let parsed;
  try {
    parsed = v.parse(indexSchema, JSON.parse(index));
  } catch (cause) {
    throw appError("model-file-damaged", "The index of the safetensors files is damaged.", cause);
  }
  const names = [...new Set(Object.values(parsed.weight_map))].toSorted();
  if (names.length > shardLimit || !names.every((name) => /^[\w.-]+\.safetensors$/.test(name))) {
    throw appError(
      "model-file-damaged",
      "The index of the safetensors files names files outside the folder.",
    );
  }
  return names;
}

function joinShards(shards: readonly SafetensorsFile[]): TensorSource {
  const owners = new Map<string, SafetensorsFile>();
  const tensors = new Map<string, TensorInfo>();
  for (const shard of shards) {
    for (const [name, info] of shard.tensors) {
      if (owners.has(name))
        throw appError("model-file-damaged", "Two files of the model hold the same tensor.");
      owners.set(name, shard);
      tensors.set(name, info);
    }
  }
  return {
    tensors,
    async readRows(name, rows) {
      const owner = owners.get(name);
      if (owner === undefined)
        throw appError("model-file-damaged", `The model file lacks the tensor ${name}.`);
      return owner.readRows(name, rows);
    },
    async close() {
      for (const shard of shards) await shard.close();
    },
  };
}
