import { copyFile, mkdir, open, writeFile, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** A decoder's sizes, as config.json names them. */
export interface DecoderShape {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly vocab_size: number;
  readonly max_position_embeddings: number;
}

/** MEDITRON-7B's: Llama 2 with a context of 2,048 tokens and some tokens more. */
export const meditron7b: DecoderShape = {
  hidden_size: 4096,
  intermediate_size: 11_008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 32,
  vocab_size: 32_017,
  max_position_embeddings: 2048,
};

/** MEDITRON-70B's, of which some layers fit on a disk: the widest that there is. */
const meditron70b: DecoderShape = {
  hidden_size: 8192,
  intermediate_size: 28_672,
  num_hidden_layers: 80,
  num_attention_heads: 64,
  num_key_value_heads: 8,
  vocab_size: 32_017,
  max_position_embeddings: 4096,
};

/** The language model of an 8B MultiMeditron: Llama 3.1's. */
export const llama31: DecoderShape = {
  hidden_size: 4096,
  intermediate_size: 14_336,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  vocab_size: 128_256,
  max_position_embeddings: 131_072,
};

/** Small enough for a test with many layers; long enough that its texts are read in several runs. */
const narrow: DecoderShape = {
  hidden_size: 64,
  intermediate_size: 192,
  num_hidden_layers: 12,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 384,
  max_position_embeddings: 640,
};

/** Shapes that a checkpoint can be made of, by name. */
export const shapes = {
  narrow: { decoder: narrow, vision: false },
  "meditron-7b": { decoder: meditron7b, vision: false },
  "meditron-70b": { decoder: meditron70b, vision: false },
  "multimeditron-8b": { decoder: llama31, vision: true },
} as const;
export type ShapeName = keyof typeof shapes;

/** A shape, and what of it is made: fewer layers or tokens for a trial. */
export interface ShapeRequest {
  readonly shape: ShapeName;
  readonly layers: number;
  /** Tokens; null: the shape's own. */
  readonly words: number | null;
  /** Numbers that lie on a grid of 4 bits: their import has nothing to search and takes a fraction of the time. */
  readonly grid?: boolean;
}

interface PlannedTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Bytes after which the next shard is begun. */
const shardBytes = 4_000_000_000;
const poolValues = 4 * 1024 * 1024;

const gridBlock = 32;

/** A whole number of steps from -8 to 7, of which each block has both. */
function onGrid(value: number, inBlock: number): number {
  const step = 2 ** -7;
  const ends = [-8, 7];
  return step * (ends[inBlock] ?? Math.max(-8, Math.min(7, Math.round(value / step))));
}

/** Bytes of a checkpoint, without its settings. */
export function checkpointBytes(request: ShapeRequest): number {
  return plannedTensors(request).reduce((sum, tensor) => sum + bytesOf(tensor), 0);
}

/**
 * Writes a checkpoint of this shape with random weights (bfloat16, normal, deviation 0.02; norms about 1) as it is
 * published: several safetensors files with an index, and for MultiMeditron a config.json that only names its parts
 * (base-configs.json describes the language model, whose layers may be fewer). Other numbers in every layer; a few
 * megabytes of memory. Returns the bytes written.
 */
export async function makeCheckpoint(folder: string, request: ShapeRequest): Promise<number> {
  await mkdir(folder, { recursive: true });
  const tokenizer = fileURLToPath(new URL("../../fixtures/models/tiny-llama", import.meta.url));
  for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
    await copyFile(path.join(tokenizer, file), path.join(folder, file));
  }
  for (const [file, json] of Object.entries(settingsOf(request))) {
    await writeFile(path.join(folder, file), JSON.stringify(json, null, 2));
  }
  const shards = shardsOf(plannedTensors(request));
  const weightMap: Record<string, string> = {};
  const random = randomPool(20_261_123, request.grid ?? false);
  let total = 0;
  for (const [index, tensors] of shards.entries()) {
    const number = (value: number) => String(value).padStart(5, "0");
    const file = `model-${number(index + 1)}-of-${number(shards.length)}.safetensors`;
    total += await writeShard(path.join(folder, file), tensors, random);
    for (const tensor of tensors) weightMap[tensor.name] = file;
  }
  const indexFile = { metadata: { total_size: total }, weight_map: weightMap };
  await writeFile(path.join(folder, "model.safetensors.index.json"), JSON.stringify(indexFile));
  return total;
}

const languagePath = "meta-llama/Llama-3.1-8B-Instruct";
const clipPath = "openai/clip-vit-large-patch14";

/** By file name. */
function settingsOf(request: ShapeRequest): Record<string, object> {
  const { vision } = shapes[request.shape];
  const decoder = decoderOf(request);
  const language = {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    hidden_act: "silu",
    rms_norm_eps: 1e-5,
    rope_theta: vision ? 500_000 : 10_000,
    tie_word_embeddings: false,
    torch_dtype: "bfloat16",
    ...decoder,
  };
  if (!vision) return { "config.json": language };
  const rope_scaling = {
    rope_type: "llama3",
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  };
  return {
    "config.json": {
      model_type: "multimodal",
      architectures: ["MultiModalModelForCausalLM"],
      llm_path: languagePath,
      // A token of the small tokenizer that all made checkpoints share.
      attachment_token_idx: 270,
      modalities: [{ model_type: "meditron_clip", clip_name: clipPath, hidden_size: decoder.hidden_size }],
      truncation: false,
      max_sequence_length: null,
    },
    "base-configs.json": { [languagePath]: { ...language, rope_scaling } },
  };
}

function decoderOf({ shape, layers, words }: ShapeRequest): DecoderShape {
  const { decoder } = shapes[shape];
  return { ...decoder, num_hidden_layers: layers, vocab_size: words ?? decoder.vocab_size };
}

function plannedTensors(request: ShapeRequest): PlannedTensor[] {
  const decoder = decoderOf(request);
  const language = decoderTensors(decoder);
  if (!shapes[request.shape].vision) return language;
  return [
    ...language.map(({ name: tensor, shape }) => ({ name: `model.${tensor}`, shape })),
    ...clipTensors(decoder.hidden_size),
  ];
}

/** CLIP ViT-L/14 at 224 pixels, and the projector to so many values. */
function clipTensors(hidden: number): PlannedTensor[] {
  const [width, inner, layers, patch, places] = [1024, 4096, 24, 14, 257];
  const tensors: PlannedTensor[] = [];
  const add = (name: string, ...shape: number[]) => tensors.push({ name: `modalities.0.${name}`, shape });
  const both = (name: string, rows: number, columns: number) => {
    add(`${name}.weight`, rows, columns);
    add(`${name}.bias`, rows);
  };
  const norm = (name: string) => {
    add(`${name}.weight`, width);
    add(`${name}.bias`, width);
  };
  const model = "feature_extractor.vision_model";
  add(`${model}.embeddings.class_embedding`, width);
  add(`${model}.embeddings.patch_embedding.weight`, width, 3, patch, patch);
  add(`${model}.embeddings.position_embedding.weight`, places, width);
  norm(`${model}.pre_layrnorm`);
  norm(`${model}.post_layernorm`);
  for (let layer = 0; layer < layers; layer++) {
    const at = `${model}.encoder.layers.${layer}`;
    norm(`${at}.layer_norm1`);
    norm(`${at}.layer_norm2`);
    for (const part of ["q_proj", "k_proj", "v_proj", "out_proj"])
      both(`${at}.self_attn.${part}`, width, width);
    both(`${at}.mlp.fc1`, inner, width);
    both(`${at}.mlp.fc2`, width, inner);
  }
  both("projector.projection.0", width, width);
  both("projector.projection.2", hidden, width);
  both("projector.projection.4", hidden, hidden);
  return tensors;
}

export function decoderTensors(shape: DecoderShape): PlannedTensor[] {
  const { hidden_size: hidden, intermediate_size: inner, vocab_size: words } = shape;
  const keys = (hidden / shape.num_attention_heads) * shape.num_key_value_heads;
  const tensors: PlannedTensor[] = [{ name: "model.embed_tokens.weight", shape: [words, hidden] }];
  for (let layer = 0; layer < shape.num_hidden_layers; layer++) {
    const add = (part: string, ...sizes: number[]) =>
      tensors.push({ name: `model.layers.${layer}.${part}.weight`, shape: sizes });
    add("input_layernorm", hidden);
    add("self_attn.q_proj", hidden, hidden);
    add("self_attn.k_proj", keys, hidden);
    add("self_attn.v_proj", keys, hidden);
    add("self_attn.o_proj", hidden, hidden);
    add("post_attention_layernorm", hidden);
    add("mlp.gate_proj", inner, hidden);
    add("mlp.up_proj", inner, hidden);
    add("mlp.down_proj", hidden, inner);
  }
  tensors.push(
    { name: "model.norm.weight", shape: [hidden] },
    { name: "lm_head.weight", shape: [words, hidden] },
  );
  return tensors;
}

function bytesOf({ shape }: PlannedTensor): number {
  return 2 * shape.reduce((product, size) => product * size, 1);
}

function shardsOf(tensors: readonly PlannedTensor[]): PlannedTensor[][] {
  const shards: PlannedTensor[][] = [[]];
  let bytes = 0;
  for (const tensor of tensors) {
    if (bytes > 0 && bytes + bytesOf(tensor) > shardBytes) {
      shards.push([]);
      bytes = 0;
    }
    shards.at(-1)?.push(tensor);
    bytes += bytesOf(tensor);
  }
  return shards;
}

async function writeShard(
  file: string,
  tensors: readonly PlannedTensor[],
  random: RandomPool,
): Promise<number> {
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  let at = 0;
  for (const tensor of tensors) {
    header[tensor.name] = { dtype: "BF16", shape: tensor.shape, data_offsets: [at, at + bytesOf(tensor)] };
    at += bytesOf(tensor);
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const size = new Uint8Array(8);
  new DataView(size.buffer).setBigUint64(0, BigInt(text.length), true);
  const handle = await open(file, "w");
  try {
    await handle.write(size);
    await handle.write(text);
    for (const tensor of tensors) await writeTensor(handle, tensor, random);
  } finally {
    await handle.close();
  }
  return at;
}

async function writeTensor(handle: FileHandle, tensor: PlannedTensor, random: RandomPool): Promise<void> {
  if (tensor.shape.length === 1) {
    // bfloat16 of 1.
    const value = tensor.name.endsWith(".bias") ? 0 : 0x3f80;
    await handle.write(new Uint8Array(new Uint16Array(tensor.shape[0] as number).fill(value).buffer));
    return;
  }
  for (let left = bytesOf(tensor); left > 0;) {
    const part = random.part().subarray(0, left);
    await handle.write(part);
    left -= part.length;
  }
}

interface RandomPool {
  /** Some megabytes from another place of the pool each time. */
  part(): Uint8Array;
}

/** Normal numbers are slow to make; the same few million in another order are as good for time and memory. */
function randomPool(seed: number, grid: boolean): RandomPool {
  let state = seed;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  const floats = Float32Array.from({ length: poolValues }, () => {
    const radius = Math.sqrt(-2 * Math.log(next() + 1e-12));
    return 0.02 * radius * Math.cos(2 * Math.PI * next());
  });
  if (grid) floats.forEach((value, at) => (floats[at] = onGrid(value, at % gridBlock)));
  const bits = new Uint32Array(floats.buffer);
  const values = Uint16Array.from(bits, (one) => one >>> 16);
  return {
    part() {
      const first = Math.floor((next() * poolValues) / 2 / gridBlock) * gridBlock;
      return new Uint8Array(values.buffer, first * 2, poolValues);
    },
  };
}
