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

interface PlannedTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Bytes after which the next shard is begun. */
const shardBytes = 4_000_000_000;
const poolValues = 4 * 1024 * 1024;

/**
 * Writes a checkpoint of this shape with random weights (bfloat16, normal, deviation 0.02; norms about 1) as HF
 * transformers does: several safetensors files with an index. Other numbers in every layer; a few megabytes of memory.
 * Returns the bytes written.
 */
export async function makeCheckpoint(folder: string, shape: DecoderShape): Promise<number> {
  await mkdir(folder, { recursive: true });
  const tokenizer = fileURLToPath(new URL("../../fixtures/models/tiny-llama", import.meta.url));
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
    await copyFile(path.join(tokenizer, name), path.join(folder, name));
  }
  const settings = {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    hidden_act: "silu",
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    tie_word_embeddings: false,
    torch_dtype: "bfloat16",
    ...shape,
  };
  await writeFile(path.join(folder, "config.json"), JSON.stringify(settings, null, 2));
  const shards = shardsOf(tensorsOf(shape));
  const weightMap: Record<string, string> = {};
  const random = randomPool(20_261_123);
  let total = 0;
  for (const [index, tensors] of shards.entries()) {
    const number = (value: number) => String(value).padStart(5, "0");
    const name = `model-${number(index + 1)}-of-${number(shards.length)}.safetensors`;
    total += await writeShard(path.join(folder, name), tensors, random);
    for (const tensor of tensors) weightMap[tensor.name] = name;
  }
  const indexFile = { metadata: { total_size: total }, weight_map: weightMap };
  await writeFile(path.join(folder, "model.safetensors.index.json"), JSON.stringify(indexFile));
  return total;
}

function tensorsOf(shape: DecoderShape): PlannedTensor[] {
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
    await handle.write(new Uint8Array(new Uint16Array(tensor.shape[0] as number).fill(0x3f80).buffer));
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
function randomPool(seed: number): RandomPool {
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
  const bits = new Uint32Array(floats.buffer);
  const values = Uint16Array.from(bits, (one) => one >>> 16);
  return {
    part() {
      const first = Math.floor(next() * (poolValues / 2));
      return new Uint8Array(values.buffer, first * 2, poolValues);
    },
  };
}
