import { randomFillSync } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";

/**
 * node scripts/run-ts.mjs test/bench/llm/make-gguf.ts FILE [--layers 22]
 *
 * Writes a GGUF file of TinyLlama's shape (1.1 billion weights with 22 layers) with random weights, different ones in every
 * layer: Q4_0 for linear layers, Q8_0 for token embedding and head. The same file goes into `meditron models import` and
 * into llama.cpp, so that both run the same weights. It says nothing sensible.
 */
const [file, ...flags] = process.argv.slice(2);
if (file === undefined) {
  console.error("usage: test/bench/llm/make-gguf.ts FILE [--layers 22]");
  process.exit(2);
}
const layers = Number(flags[flags.indexOf("--layers") + 1] ?? 22) || 22;
const shape = { hidden: 2048, inner: 5632, heads: 32, kvHeads: 4, words: 32_000, context: 4096 };
const alignment = 32;

const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const u64 = (value: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
const f32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
};
const string = (text: string) => Buffer.concat([u64(Buffer.byteLength(text)), Buffer.from(text)]);

/** Types of metadata (ggml/docs/gguf.md): 4 uint32, 5 int32, 6 float32, 8 string, 9 array. */
const number = (key: string, value: number) => Buffer.concat([string(key), u32(4), u32(value)]);
const real = (key: string, value: number) => Buffer.concat([string(key), u32(6), f32(value)]);
const text = (key: string, value: string) => Buffer.concat([string(key), u32(8), string(value)]);
const array = (key: string, type: number, items: readonly Buffer[]) =>
  Buffer.concat([string(key), u32(9), u32(type), u64(items.length), ...items]);

/** SentencePiece: three special tokens, a token for each byte, and made-up pieces. */
function vocabulary(): Buffer[] {
  const piece = (i: number) => `▁${(i - 259).toString(26)}`;
  const tokens = Array.from({ length: shape.words }, (_, i) => {
    if (i < 3) return ["<unk>", "<s>", "</s>"][i] as string;
    return i < 259 ? `<0x${(i - 3).toString(16).toUpperCase().padStart(2, "0")}>` : piece(i);
  });
  const kinds = tokens.map((_, i) => (i === 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1));
  return [
    text("tokenizer.ggml.model", "llama"),
    array("tokenizer.ggml.tokens", 8, tokens.map(string)),
    array(
      "tokenizer.ggml.scores",
      6,
      tokens.map((_, i) => f32(-i)),
    ),
    array("tokenizer.ggml.token_type", 5, kinds.map(u32)),
    number("tokenizer.ggml.bos_token_id", 1),
    number("tokenizer.ggml.eos_token_id", 2),
  ];
}

interface Planned {
  readonly name: string;
  /** As GGUF writes it: the values of a row first. */
  readonly sizes: readonly number[];
  readonly type: "F32" | "Q4_0" | "Q8_0";
}

/** ggml's number of each type, and bytes of a block of 32 values. */
const types = { F32: [0, 128], Q4_0: [2, 18], Q8_0: [8, 34] } as const;

function bytesOf({ sizes, type }: Planned): number {
  return (sizes.reduce((product, size) => product * size, 1) / 32) * types[type][1];
}

function planned(): Planned[] {
  const { hidden, inner, kvHeads, heads, words } = shape;
  const keys = (hidden / heads) * kvHeads;
  const all: Planned[] = [
    { name: "token_embd.weight", sizes: [hidden, words], type: "Q8_0" },
    { name: "output.weight", sizes: [hidden, words], type: "Q8_0" },
    { name: "output_norm.weight", sizes: [hidden], type: "F32" },
  ];
  for (let layer = 0; layer < layers; layer++) {
    const add = (part: string, columns: number, rows: number) =>
      all.push({ name: `blk.${layer}.${part}.weight`, sizes: [columns, rows], type: "Q4_0" });
    const norm = (part: string) =>
      all.push({ name: `blk.${layer}.${part}.weight`, sizes: [hidden], type: "F32" });
    norm("attn_norm");
    norm("ffn_norm");
    add("attn_q", hidden, hidden);
    add("attn_k", hidden, keys);
    add("attn_v", hidden, keys);
    add("attn_output", hidden, hidden);
    add("ffn_gate", hidden, inner);
    add("ffn_up", hidden, inner);
    add("ffn_down", inner, hidden);
  }
  return all;
}

function headerOf(tensors: readonly Planned[]): Buffer {
  const settings = [
    text("general.architecture", "llama"),
    number("llama.context_length", shape.context),
    number("llama.embedding_length", shape.hidden),
    number("llama.block_count", layers),
    number("llama.feed_forward_length", shape.inner),
    number("llama.attention.head_count", shape.heads),
    number("llama.attention.head_count_kv", shape.kvHeads),
    number("llama.rope.dimension_count", shape.hidden / shape.heads),
    real("llama.attention.layer_norm_rms_epsilon", 1e-5),
    ...vocabulary(),
  ];
  const places: Buffer[] = [];
  let offset = 0;
  for (const tensor of tensors) {
    const { name, sizes, type } = tensor;
    places.push(string(name), u32(sizes.length), ...sizes.map(u64), u32(types[type][0]), u64(offset));
    offset += Math.ceil(bytesOf(tensor) / alignment) * alignment;
  }
  const magic = Buffer.from("GGUF");
  const head = Buffer.concat([
    magic,
    u32(3),
    u64(tensors.length),
    u64(settings.length),
    ...settings,
    ...places,
  ]);
  return Buffer.concat([head, Buffer.alloc((alignment - (head.length % alignment)) % alignment)]);
}

/**
 * Blocks of random numbers with one small scale, whose sign is drawn: 4-bit numbers reach from -8 to 7, and weights with
 * a mean that is not 0 would give scores in attention so far apart that almost all of its weights are below 1e-38, which
 * is not what a model looks like, and slow to multiply. Norms are 1.
 */
async function writeTensor(handle: FileHandle, tensor: Planned): Promise<void> {
  const bytes = bytesOf(tensor);
  const padding = Buffer.alloc((alignment - (bytes % alignment)) % alignment);
  if (tensor.type === "F32") {
    await handle.write(Buffer.from(new Float32Array(bytes / 4).fill(1).buffer));
    await handle.write(padding);
    return;
  }
  const block = types[tensor.type][1];
  // Half-precision 0.005 for 4 bits, 0.0003 for 8.
  const scale = tensor.type === "Q4_0" ? 0x1d1f : 0x0cea;
  const signBit = 0x8000;
  const part = Buffer.alloc(block * 65_536);
  for (let left = bytes; left > 0; left -= part.length) {
    randomFillSync(part);
    for (let at = 0; at < part.length; at += block) {
      part.writeUInt16LE(part[at]! & 1 ? scale : scale | signBit, at);
    }
    await handle.write(part, 0, Math.min(left, part.length));
  }
  await handle.write(padding);
}

const tensors = planned();
const handle = await open(file, "w");
try {
  await handle.write(headerOf(tensors));
  for (const tensor of tensors) await writeTensor(handle, tensor);
} finally {
  await handle.close();
}
console.log(
  `${file}: ${layers} layers, ${tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0)} bytes of weights`,
);
