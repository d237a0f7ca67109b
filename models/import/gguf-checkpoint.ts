import { appError } from "../../core/errors.ts";
import { openByteSource } from "./byte-source.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { checkDecoderConfig, type DecoderConfig } from "./decoder-config.ts";
import type { GgufValue } from "./gguf-header.ts";
import { checkRows, readGguf, type GgufFile } from "./gguf-reader.ts";
import { ggufTokenizer } from "./gguf-tokenizer.ts";
import { rowLength, type RowRange, type TensorInfo, type TensorSource } from "./tensor-source.ts";

/** GGUF's architecture names and HF's. */
const architectures: Readonly<Record<string, string>> = { llama: "LlamaForCausalLM" };

/** The settings of the decoder in a GGUF file. Errors: `architecture-not-supported`, `model-file-damaged`. */
export function ggufDecoderConfig(file: GgufFile): DecoderConfig {
  const name = file.metadata.get("general.architecture");
  const architecture =
    typeof name === "string" && Object.hasOwn(architectures, name) ? architectures[name] : undefined;
  if (architecture === undefined) {
    throw appError(
      "architecture-not-supported",
      `GGUF files of the architecture ${String(name)} cannot be imported.`,
    );
  }
  refuseRopeScaling(file, name as string);
  const number = (key: string, otherwise?: number): number => {
    const value = file.metadata.get(`${String(name)}.${key}`) ?? otherwise;
    if (typeof value !== "number") {
      throw appError("model-file-damaged", `The GGUF file lacks the setting ${String(name)}.${key}.`);
    }
    return value;
  };
  const hidden = number("embedding_length");
  const heads = number("attention.head_count");
  const headSize = number("attention.key_length", hidden / heads);
  const embedding = file.tensors.get("token_embd.weight");
  if (embedding === undefined)
    throw appError("model-file-damaged", "The GGUF file lacks the tensor token_embd.weight.");
  return {
    architecture,
    layers: number("block_count"),
    hidden,
    intermediate: number("feed_forward_length"),
    heads,
    kvHeads: number("attention.head_count_kv", heads),
    headSize,
    vocabulary: embedding.shape[0] as number,
    contextLength: number("context_length"),
    rotary: {
      theta: number("rope.freq_base", 10_000),
      width: number("rope.dimension_count", headSize),
      scaling: { type: "none" },
    },
    localRotary: null,
    window: null,
    windowLayers: [],
    normEpsilon: number("attention.layer_norm_rms_epsilon"),
    normOffset: 0,
    attentionScale: 1 / Math.sqrt(headSize),
    attentionCap: 0,
    logitCap: 0,
    embeddingScale: 1,
    imagesSeeThemselves: false,
    biases: { qkv: false, output: false, mlp: false },
    tiedEmbedding: !file.tensors.has("output.weight"),
  };
}

/** A scaled rotary embedding read as a plain one would answer fluently and wrongly: refuse it by name. */
function refuseRopeScaling(file: GgufFile, name: string): void {
  const scaling: GgufValue | undefined = file.metadata.get(`${name}.rope.scaling.type`);
  if ((scaling !== undefined && scaling !== "none") || file.tensors.has("rope_freqs.weight")) {
    throw appError(
      "architecture-not-supported",
      "Models with scaled rotary positions cannot be imported yet.",
    );
  }
}

const plainNames: Readonly<Record<string, string>> = {
  "token_embd.weight": "model.embed_tokens.weight",
  "output_norm.weight": "model.norm.weight",
  "output.weight": "lm_head.weight",
};

const layerNames: Readonly<Record<string, string>> = {
  attn_norm: "input_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  ffn_norm: "post_attention_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};

function canonicalName(name: string): string | undefined {
  const layer = /^blk\.(\d{1,4})\.(\w+)\.weight$/.exec(name);
  if (layer === null) return plainNames[name];
  const part = layerNames[layer[2] as string];
  return part === undefined ? undefined : `model.layers.${layer[1]}.${part}.weight`;
}

/**
 * The tensors under HF's names and in HF's row order. llama.cpp's converter interleaves the two halves of each query
 * and key head (its rotary kernel turns neighbours); here rows are put back.
 */
export function ggufTensors(file: GgufFile, config: DecoderConfig): TensorSource {
  const sources = new Map<string, string>();
  const tensors = new Map<string, TensorInfo>();
  for (const [name, info] of file.tensors) {
    const canonical = canonicalName(name);
    if (canonical === undefined) continue;
    sources.set(canonical, name);
    tensors.set(canonical, { ...info, name: canonical });
  }
  return {
    tensors,
    async readRows(name, rows) {
      const source = sources.get(name);
      const info = tensors.get(name);
      if (source === undefined || info === undefined) {
        throw appError("model-file-damaged", `The model file lacks the tensor ${name}.`);
      }
      if (!/\.self_attn\.[qk]_proj\./.test(name)) return file.readRows(source, rows);
      checkRows(info, rows);
      return readTurnedRows(file, { source, info, rows, headSize: config.headSize });
    },
    close: () => file.close(),
  };
}

interface TurnedRows {
  readonly source: string;
  readonly info: TensorInfo;
  readonly rows: RowRange;
  readonly headSize: number;
}

async function readTurnedRows(
  file: GgufFile,
  { source, info, rows, headSize }: TurnedRows,
): Promise<Float32Array> {
  const columns = rowLength(info);
  const firstHead = Math.floor(rows.first / headSize);
  const endHead = Math.ceil((rows.first + rows.count) / headSize);
  const whole = { first: firstHead * headSize, count: (endHead - firstHead) * headSize };
  const read = await file.readRows(source, whole);
  const result = new Float32Array(rows.count * columns);
  for (let row = 0; row < rows.count; row++) {
    const absolute = rows.first + row;
    const inHead = absolute % headSize;
    // Row half·(headSize/2) + pair of HF is row 2·pair + half of the file.
    const pair = inHead % (headSize / 2);
    const half = Math.floor(inHead / (headSize / 2));
    const from = (absolute - inHead - whole.first + 2 * pair + half) * columns;
    result.set(read.subarray(from, from + columns), row * columns);
  }
  return result;
}

/** @throws model-file-damaged, not-supported, architecture-not-supported */
export async function openGgufCheckpoint(path: string): Promise<Checkpoint> {
  const source = await openByteSource(path);
  try {
    const file = await readGguf(source);
    const config = checkDecoderConfig(ggufDecoderConfig(file));
    const { json, config: settings, stopTokens } = ggufTokenizer(file.metadata);
    const licence = file.metadata.get("general.license");
    return {
      architecture: config.architecture,
      vision: null,
      config,
      tensors: ggufTensors(file, config),
      tokenizer: { json, config: settings },
      stopTokens,
      licence: typeof licence === "string" && licence !== "" ? licence.slice(0, 200) : "not stated",
      close: () => file.close(),
    };
  } catch (thrown) {
    await source.close();
    throw thrown;
  }
}
