import { appError } from "../../core/errors.ts";
import type { ModelProto } from "../onnx/onnx-proto.ts";
import type { DecoderScope } from "./decoder-blocks.ts";
import { checkDecoderConfig, type DecoderConfig } from "./decoder-config.ts";
import { llamaLayers } from "./decoders/llama.ts";
import { GraphBuilder, int } from "./graph-builder.ts";
import {
  gatherRows,
  multiply,
  writeMatrix,
  type MatrixWriter,
  type Precision,
  type StoredMatrix,
} from "./graph-weights.ts";

/** Layers by architecture, as HF names it; the next architecture is one more thin file and one more line. */
const decoders: Readonly<Record<string, (scope: DecoderScope, hidden: string) => Promise<string>>> = {
  LlamaForCausalLM: llamaLayers,
};

export interface DecoderGraphs {
  /** `input_ids` int64 [n] → `embeddings` float32 [n, hidden] */
  readonly embed: ModelProto;
  readonly decoder: ModelProto;
}

export interface DecoderGraphOptions {
  readonly config: DecoderConfig;
  readonly writer: MatrixWriter;
  /** Precision of a matrix, by the name of its first tensor. */
  readonly precision: (source: string) => Precision;
}

const embeddingTensor = "model.embed_tokens.weight";

/** Writes the weights and builds both graphs over them; a tied embedding and head are stored once. */
export async function buildDecoderGraphs(options: DecoderGraphOptions): Promise<DecoderGraphs> {
  const config = checkDecoderConfig(options.config);
  const layers = decoders[config.architecture];
  if (layers === undefined || !Object.hasOwn(decoders, config.architecture)) {
    throw appError(
      "architecture-not-supported",
      `Models of the architecture ${config.architecture} cannot be imported. ` +
        `These can: ${Object.keys(decoders).join(", ")}.`,
    );
  }
  const embedding = await writeTokenMatrix(options, embeddingTensor);
  const head = config.tiedEmbedding ? embedding : await writeTokenMatrix(options, "lm_head.weight");

  const builder = new GraphBuilder("decoder");
  const hidden = builder.input("inputs_embeds", "float32", ["batch", "seq", config.hidden]);
  builder.input("seqlens_k", "int32", ["batch"]);
  builder.input("total_sequence_length", "int32", []);
  builder.input("logit_rows", "int64", ["k"]);
  builder.output("logits", "float32", ["k", config.vocabulary]);
  const normed = await layers({ ...options, builder, config }, hidden);
  addHead(builder, { config, normed, head });

  return {
    embed: embedGraph(config, embedding),
    decoder: builder.model({ architecture: config.architecture }),
  };
}

function writeTokenMatrix(
  { config, writer, precision }: DecoderGraphOptions,
  source: string,
): Promise<StoredMatrix> {
  return writeMatrix(writer, {
    name: source,
    sources: [source],
    shape: { rows: config.vocabulary, columns: config.hidden },
    precision: precision(source),
  });
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
  multiply(builder, head, { name: "logits", input: wanted });
}

function embedGraph(config: DecoderConfig, embedding: StoredMatrix): ModelProto {
  const builder = new GraphBuilder("embed");
  builder.input("input_ids", "int64", ["n"]);
  builder.output("embeddings", "float32", ["n", config.hidden]);
  gatherRows(builder, embedding, { name: "embeddings", indices: "input_ids" });
  return builder.model({ architecture: config.architecture });
}
