import { float, GraphBuilder, int, modelBytes } from "../../../models/import/graph-builder.ts";

/** A decoder with random weights and the graph interface of a pack, small enough for a test to be exact about. */
export const tiny = {
  layers: 2,
  hidden: 32,
  heads: 4,
  kvHeads: 2,
  headSize: 16,
  vocabulary: 64,
  context: 512,
} as const;

export function tinyDecoder({ vocabulary }: { readonly vocabulary: number } = tiny): Uint8Array {
  const graph = new GraphBuilder("tiny");
  const random = normals(7);
  const matrix = (name: string, rows: number, columns: number) =>
    graph.constant(
      { name, type: "float32", shape: [rows, columns] },
      Float32Array.from({ length: rows * columns }, () => (random() * 1.5) / Math.sqrt(rows)),
    );
  const { hidden, heads, kvHeads, headSize, context } = tiny;
  graph.input("inputs_embeds", "float32", ["batch", "seq", hidden]);
  graph.input("seqlens_k", "int32", ["batch"]);
  graph.input("total_sequence_length", "int32", []);
  graph.input("logit_rows", "int64", ["rows"]);
  const half = headSize / 2;
  const angle = (i: number) => Math.floor(i / half) / 100 ** ((2 * (i % half)) / headSize);
  const table = (name: string, map: (x: number) => number) =>
    graph.constant(
      { name, type: "float32", shape: [context, half] },
      Float32Array.from({ length: context * half }, (_, i) => map(angle(i))),
    );
  const cos = table("cos", Math.cos);
  const sin = table("sin", Math.sin);
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

  let state = "inputs_embeds";
  for (let layer = 0; layer < tiny.layers; layer += 1) {
    const cache = ["batch", kvHeads, "capacity", headSize];
    for (const side of ["key", "value"]) {
      graph.input(`past_${side}_${layer}`, "float32", cache);
      graph.output(`present_${side}_${layer}`, "float32", cache);
    }
    const qkv = graph.node({
      name: `qkv_${layer}`,
      op: "MatMul",
      inputs: [
        norm(`norm_${layer}`, state),
        matrix(`qkv_weight_${layer}`, hidden, (heads + 2 * kvHeads) * headSize),
      ],
    });
    const attention = graph.node({
      name: `attention_${layer}`,
      op: "GroupQueryAttention",
      inputs: [
        qkv,
        "",
        "",
        `past_key_${layer}`,
        `past_value_${layer}`,
        "seqlens_k",
        "total_sequence_length",
        cos,
        sin,
      ],
      outputs: [`attention_${layer}`, `present_key_${layer}`, `present_value_${layer}`],
      attributes: {
        num_heads: int(heads),
        kv_num_heads: int(kvHeads),
        do_rotary: int(1),
        rotary_interleaved: int(0),
        scale: float(1 / Math.sqrt(headSize)),
      },
    });
    const projected = graph.node({
      name: `output_${layer}`,
      op: "MatMul",
      inputs: [attention, matrix(`output_weight_${layer}`, heads * headSize, hidden)],
    });
    const bent = graph.node({ name: `bent_${layer}`, op: "Tanh", inputs: [projected] });
    state = graph.node({ name: `state_${layer}`, op: "Add", inputs: [state, bent] });
  }
  const flat = graph.node({
    name: "flat",
    op: "Reshape",
    inputs: [
      norm("last_norm", state),
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
  graph.node({ name: "logits", op: "MatMul", inputs: [wanted, matrix("head", hidden, vocabulary)] });
  graph.output("logits", "float32", ["rows", vocabulary]);
  return modelBytes(graph.model());
}

export function tinyEmbedding({ vocabulary }: { readonly vocabulary: number } = tiny): Uint8Array {
  const graph = new GraphBuilder("tiny_embed");
  const random = normals(11);
  graph.input("input_ids", "int64", ["n"]);
  const table = graph.constant(
    { name: "table", type: "float32", shape: [vocabulary, tiny.hidden] },
    Float32Array.from({ length: vocabulary * tiny.hidden }, random),
  );
  graph.node({
    name: "embeddings",
    op: "Gather",
    inputs: [table, "input_ids"],
    attributes: { axis: int(0) },
  });
  graph.output("embeddings", "float32", ["n", tiny.hidden]);
  return modelBytes(graph.model());
}

/** Standard normal values, the same on every machine up to the last bit of log and cos. */
export function normals(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 1) / 4294967297;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
