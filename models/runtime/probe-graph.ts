import { float, GraphBuilder, int, ints, modelBytes } from "../import/graph-builder.ts";

/**
 * Two layers of a decoder with random 4-bit weights and a pack's graph interface: the kernels that matter
 * (MatMulNBits, GroupQueryAttention with its cache), large enough that a fast device shows, small enough to be made
 * in a moment. Every machine makes the same numbers.
 */
export const probe = {
  layers: 2,
  hidden: 512,
  heads: 8,
  kvHeads: 4,
  headSize: 64,
  intermediate: 1536,
  vocabulary: 512,
  context: 512,
  /** An image encoder: two convolutions with a bend between them. */
  encoder: { pixels: 224, patch: 8, width: 64, tokens: 196 },
} as const;

const block = 32;

export function probeDecoder(): Uint8Array {
  const graph = new GraphBuilder("probe");
  const random = uniform(1);
  const { hidden, heads, kvHeads, headSize, intermediate, vocabulary, context } = probe;

  const product = (name: string, input: string, { rows, columns }: { rows: number; columns: number }) => {
    const blocks = columns / block;
    const weights = Uint8Array.from({ length: (rows * columns) / 2 }, () => random() * 256);
    const scales = Float32Array.from(
      { length: rows * blocks },
      () => (0.15 + 0.1 * random()) / Math.sqrt(columns),
    );
    return graph.node({
      name,
      op: "MatMulNBits",
      inputs: [
        input,
        graph.constant({ name: `${name}.q`, type: "uint8", shape: [rows, blocks, block / 2] }, weights),
        graph.constant({ name: `${name}.s`, type: "float32", shape: [rows * blocks] }, scales),
      ],
      attributes: {
        K: int(columns),
        N: int(rows),
        bits: int(4),
        block_size: int(block),
        accuracy_level: int(4),
      },
    });
  };
  const ones = graph.constant(
    { name: "ones", type: "float32", shape: [hidden] },
    new Float32Array(hidden).fill(1),
  );
  const norm = (name: string, input: string) =>
    graph.node({
      name,
      op: "SimplifiedLayerNormalization",
      inputs: [input, ones],
      attributes: { axis: int(-1), epsilon: float(1e-5) },
    });
  const add = (name: string, a: string, b: string) => graph.node({ name, op: "Add", inputs: [a, b] });
  const half = headSize / 2;
  const rotary = (name: string, map: (angle: number) => number) =>
    graph.constant(
      { name, type: "float32", shape: [context, half] },
      Float32Array.from({ length: context * half }, (_, i) =>
        map(Math.floor(i / half) / 10_000 ** ((2 * (i % half)) / headSize)),
      ),
    );
  const cos = rotary("cos", Math.cos);
  const sin = rotary("sin", Math.sin);

  graph.input("inputs_embeds", "float32", ["batch", "seq", hidden]);
  graph.input("seqlens_k", "int32", ["batch"]);
  graph.input("total_sequence_length", "int32", []);
  graph.input("logit_rows", "int64", ["rows"]);
  let state = "inputs_embeds";
  for (let layer = 0; layer < probe.layers; layer += 1) {
    const cache = ["batch", kvHeads, "capacity", headSize];
    const [pastKey, pastValue] = [`past_key_${layer}`, `past_value_${layer}`];
    const [presentKey, presentValue] = [`present_key_${layer}`, `present_value_${layer}`];
    for (const name of [pastKey, pastValue]) graph.input(name, "float32", cache);
    for (const name of [presentKey, presentValue]) graph.output(name, "float32", cache);
    const width = (heads + 2 * kvHeads) * headSize;
    const qkv = product(`qkv_${layer}`, norm(`before_${layer}`, state), { rows: width, columns: hidden });
    const attention = graph.node({
      name: `attention_${layer}`,
      op: "GroupQueryAttention",
      inputs: [qkv, "", "", pastKey, pastValue, "seqlens_k", "total_sequence_length", cos, sin],
      outputs: [`attention_${layer}`, presentKey, presentValue],
      attributes: {
        num_heads: int(heads),
        kv_num_heads: int(kvHeads),
        do_rotary: int(1),
        rotary_interleaved: int(0),
        scale: float(1 / Math.sqrt(headSize)),
      },
    });
    const projected = product(`projected_${layer}`, attention, { rows: hidden, columns: heads * headSize });
    state = add(`attended_${layer}`, state, projected);
    const up = product(`up_${layer}`, norm(`between_${layer}`, state), {
      rows: intermediate,
      columns: hidden,
    });
    const bent = graph.node({
      name: `bent_${layer}`,
      op: "QuickGelu",
      inputs: [up],
      attributes: { alpha: float(1) },
    });
    const down = product(`down_${layer}`, bent, { rows: hidden, columns: intermediate });
    state = add(`state_${layer}`, state, down);
  }
  const flat = graph.node({
    name: "flat",
    op: "Reshape",
    inputs: [
      norm("last", state),
      graph.constant(
        { name: "flat_shape", type: "int64", shape: [2] },
        BigInt64Array.of(-1n, BigInt(hidden)),
      ),
    ],
  });
  const wanted = graph.node({
    name: "wanted",
    op: "Gather",
    inputs: [flat, "logit_rows"],
    attributes: { axis: int(0) },
  });
  product("logits", wanted, { rows: vocabulary, columns: hidden });
  graph.output("logits", "float32", ["rows", vocabulary]);
  return modelBytes(graph.model());
}

/** float32 [n, 3, pixels, pixels] to [n, tokens, width] */
export function probeEncoder(): Uint8Array {
  const graph = new GraphBuilder("probe_encoder");
  const random = uniform(3);
  const { pixels, patch, width, tokens } = probe.encoder;
  const weights = (name: string, shape: readonly number[]) => {
    const [, ...inner] = shape;
    const size = inner.reduce((product, side) => product * side, 1);
    const values = Float32Array.from(
      { length: shape[0]! * size },
      () => (2 * random() - 1) / Math.sqrt(size),
    );
    return graph.constant({ name, type: "float32", shape }, values);
  };
  graph.input("pixel_values", "float32", ["n", 3, pixels, pixels]);
  const patches = graph.node({
    name: "patches",
    op: "Conv",
    inputs: ["pixel_values", weights("patch_weight", [width, 3, patch, patch])],
    attributes: { kernel_shape: ints([patch, patch]), strides: ints([patch, patch]) },
  });
  const bent = graph.node({ name: "bent", op: "Relu", inputs: [patches] });
  const mixed = graph.node({
    name: "mixed",
    op: "Conv",
    inputs: [bent, weights("mix_weight", [width, width, 2, 2])],
    attributes: { kernel_shape: ints([2, 2]), strides: ints([2, 2]) },
  });
  const shape = graph.constant(
    { name: "flat", type: "int64", shape: [3] },
    BigInt64Array.of(0n, BigInt(width), BigInt(tokens)),
  );
  const rows = graph.node({ name: "rows", op: "Reshape", inputs: [mixed, shape] });
  graph.node({
    name: "image_embeddings",
    op: "Transpose",
    inputs: [rows],
    attributes: { perm: ints([0, 2, 1]) },
  });
  graph.output("image_embeddings", "float32", ["n", tokens, width]);
  return modelBytes(graph.model());
}

/** One image, float32 [1, 3, pixels, pixels]. */
export function probePixels(): Float32Array {
  const random = uniform(4);
  return Float32Array.from({ length: 3 * probe.encoder.pixels ** 2 }, () => 2 * random() - 1);
}

/** `tokens` embeddings to read, float32 [tokens, hidden]. */
export function probeEmbeddings(tokens: number): Float32Array {
  const random = uniform(2);
  return Float32Array.from({ length: tokens * probe.hidden }, () => 2 * random() - 1);
}

/** Numbers in [0, 1) from a 32-bit linear congruential generator. */
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) / 0x100_0000;
  };
}
