import type { ModelProto } from "../onnx/onnx-proto.ts";
import { checkDecoderConfig, type DecoderConfig } from "./decoder-config.ts";
import { decoderLayers } from "./decoder-layers.ts";
import { decoderArchitecture } from "./decoders/known-decoders.ts";
import { GraphBuilder, int } from "./graph-builder.ts";
import { keepCacheInHalf } from "./half-cache.ts";
import {
  gatherRows,
  multiply,
  writeFiner,
  writeMatrix,
  type MatrixSpec,
  type MatrixWriter,
  type PrecisionRule,
  type StoredMatrix,
} from "./graph-weights.ts";

export interface DecoderGraphs {
  /** `input_ids` int64 [n] → `embeddings` float32 [n, hidden] */
  readonly embed: ModelProto;
  readonly decoder: ModelProto;
}

export interface DecoderGraphOptions {
  readonly config: DecoderConfig;
  readonly writer: MatrixWriter;
  readonly precision: PrecisionRule;
}

const embeddingTensor = "model.embed_tokens.weight";

/** Writes the weights and builds both graphs over them; a tied embedding and head are stored once. */
export async function buildDecoderGraphs(options: DecoderGraphOptions): Promise<DecoderGraphs> {
  const config = checkDecoderConfig(options.config);
  const { design } = decoderArchitecture(config.architecture);
  const tables = [embeddingTensor, ...(config.tiedEmbedding ? [] : ["lm_head.weight"])];
  const specs = tables.map((source) => tokenMatrix(options, source));
  const written: StoredMatrix[] = [];
  for (const spec of specs) written.push(await writeMatrix(options.writer, spec));

  const builder = new GraphBuilder("decoder");
  const hidden = builder.input("inputs_embeds", "float32", ["batch", "seq", config.hidden]);
  builder.input("seqlens_k", "int32", ["batch"]);
  builder.input("total_sequence_length", "int32", []);
  builder.input("logit_rows", "int64", ["k"]);
  builder.output("logits", "float32", ["k", config.vocabulary]);
  const normed = await decoderLayers({ ...options, builder, config }, design, hidden);
  for (const [at, spec] of specs.entries())
    written[at] = await writeFiner(options.writer, spec, written[at] as StoredMatrix);
  const [embedding, head = embedding] = written as [StoredMatrix, StoredMatrix?];
  addHead(builder, { config, normed, head });

  const decoder = builder.model({ architecture: config.architecture });
  if (head.type === "float16") keepCacheInHalf(decoder);
  return { embed: embedGraph(config, embedding), decoder };
}

function tokenMatrix({ config, precision }: DecoderGraphOptions, source: string): MatrixSpec {
  return {
    name: source,
    sources: [source],
    shape: { rows: config.vocabulary, columns: config.hidden },
    precision: precision(source, config.hidden),
  };
}

interface HeadSpec {
  readonly config: DecoderConfig;
  /** [batch, seq, hidden] */
  readonly normed: string;
  readonly head: StoredMatrix;
}

/** Logits of the wanted rows only: during prefill all others would be computed in vain. */
function addHead(builder: GraphBuilder, { config, normed, head }: HeadSpec): void {
  const shape = builder.constant(
    { name: "head/shape", type: "int64", shape: [2] },
    BigInt64Array.of(-1n, BigInt(config.hidden)),
  );
  const rows = builder.node({ name: "head/rows", op: "Reshape", inputs: [normed, shape] });
  const wanted = builder.node({
    name: "head/wanted",
    op: "Gather",
    inputs: [rows, "logit_rows"],
    attributes: { axis: int(0) },
  });
  if (config.logitCap === 0) multiply(builder, head, { name: "logits", input: wanted, rank: 2 });
  else
    addCap(
      builder,
      config.logitCap,
      multiply(builder, head, { name: "head/logits", input: wanted, rank: 2 }),
    );
}

/** cap × tanh(logits ÷ cap) */
function addCap(builder: GraphBuilder, cap: number, logits: string): void {
  const limit = builder.constant({ name: "head/cap", type: "float32", shape: [] }, Float32Array.of(cap));
  const small = builder.node({ name: "head/small", op: "Div", inputs: [logits, limit] });
  const squeezed = builder.node({ name: "head/squeezed", op: "Tanh", inputs: [small] });
  builder.node({ name: "logits", op: "Mul", inputs: [squeezed, limit] });
}

function embedGraph(config: DecoderConfig, embedding: StoredMatrix): ModelProto {
  const builder = new GraphBuilder("embed");
  builder.input("input_ids", "int64", ["n"]);
  builder.output("embeddings", "float32", ["n", config.hidden]);
  if (config.embeddingScale === 1)
    gatherRows(builder, embedding, { name: "embeddings", indices: "input_ids" });
  else {
    const rows = gatherRows(builder, embedding, { name: "rows", indices: "input_ids" });
    const scale = builder.constant(
      { name: "scale", type: "float32", shape: [] },
      Float32Array.of(config.embeddingScale),
    );
    builder.node({ name: "embeddings", op: "Mul", inputs: [rows, scale] });
  }
  return builder.model({ architecture: config.architecture });
}
