import { appError } from "../../core/errors.ts";
import { openByteSource } from "./byte-source.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { checkDecoderConfig, plainDecoder, type DecoderConfig } from "./decoder-config.ts";
import { checkRows, readGguf, type GgufFile } from "./gguf-reader.ts";
import { ggufRotary, ropeFactorTensors } from "./gguf-rotary.ts";
import { ggufTokenizer } from "./gguf-tokenizer.ts";
import { renamedTensors } from "./renamed-tensors.ts";
import { rowLength, type RowRange, type TensorInfo, type TensorSource } from "./tensor-source.ts";

interface GgufArchitecture {
  /** HF's name. */
  readonly name: string;
  /** llama.cpp's converter interleaves the two halves of each query and key head: its rotary kernel turns neighbours. */
  readonly interleaved: boolean;
  readonly biases: DecoderConfig["biases"];
  /** Every layer sees a window of the tokens where the file says so. */
  readonly window?: boolean;
  /** GGUF names of tensors that are several in one, with HF's; llama.cpp calls gate and up together "ffn_up". */
  readonly fused?: Readonly<Record<string, string>>;
}

const noBiases = { qkv: false, output: false, mlp: false };

/** By GGUF's name. */
const architectures: Readonly<Record<string, GgufArchitecture>> = {
  llama: { name: "LlamaForCausalLM", interleaved: true, biases: noBiases },
  qwen2: { name: "Qwen2ForCausalLM", interleaved: false, biases: { ...noBiases, qkv: true } },
  qwen3: { name: "Qwen3ForCausalLM", interleaved: false, biases: noBiases },
  phi3: {
    name: "Phi3ForCausalLM",
    interleaved: false,
    biases: noBiases,
    window: true,
    fused: { attn_qkv: "self_attn.qkv_proj", ffn_up: "mlp.gate_up_proj" },
  },
};

/** @throws architecture-not-supported */
function ggufArchitecture({ metadata }: GgufFile): GgufArchitecture & { readonly prefix: string } {
  const prefix = metadata.get("general.architecture");
  if (typeof prefix === "string" && Object.hasOwn(architectures, prefix)) {
    return { ...(architectures[prefix] as GgufArchitecture), prefix };
  }
  throw appError(
    "architecture-not-supported",
    `GGUF files of the architecture ${String(prefix).slice(0, 50)} cannot be imported. These can: ` +
      `${Object.keys(architectures).join(", ")}. Take the safetensors folder.`,
  );
}

/** The settings of the decoder in a GGUF file. @throws architecture-not-supported, model-file-damaged */
export async function ggufDecoderConfig(file: GgufFile): Promise<DecoderConfig> {
  const { name: architecture, prefix, biases, interleaved, window = false } = ggufArchitecture(file);
  const number = (key: string, otherwise?: number): number => {
    const value = file.metadata.get(`${prefix}.${key}`) ?? otherwise;
    if (typeof value !== "number") {
      throw appError("model-file-damaged", `The GGUF file lacks the setting ${prefix}.${key}.`);
    }
    return value;
  };
  const hidden = number("embedding_length");
  const heads = number("attention.head_count");
  const headSize = number("attention.key_length", hidden / heads);
  const positions = await ggufRotary(file, {
    prefix,
    headSize,
    context: number("context_length"),
  });
  if (interleaved && positions.rotary.width !== headSize) {
    throw appError("architecture-not-supported", "GGUF files with partly turned heads cannot be imported.");
  }
  const embedding = file.tensors.get("token_embd.weight");
  if (embedding === undefined)
    throw appError("model-file-damaged", "The GGUF file lacks the tensor token_embd.weight.");
  const layers = number("block_count");
  // 0: none.
  const seen = window ? number("attention.sliding_window", 0) : 0;
  return {
    ...plainDecoder,
    ...(seen > 0 ? { window: seen, windowLayers: layerNumbers(layers) } : {}),
    architecture,
    layers,
    hidden,
    intermediate: number("feed_forward_length"),
    heads,
    kvHeads: number("attention.head_count_kv", heads),
    headSize,
    vocabulary: embedding.shape[0] as number,
    contextLength: positions.context,
    rotary: positions.rotary,
    normEpsilon: number("attention.layer_norm_rms_epsilon"),
    attentionScale: 1 / Math.sqrt(headSize),
    biases,
    tiedEmbedding: !file.tensors.has("output.weight"),
  };
}

/** 512 layers are more than checkDecoderConfig lets pass. */
function layerNumbers(count: number): number[] {
  return Array.from({ length: Math.min(Math.max(Math.trunc(count) || 0, 0), 512) }, (_, layer) => layer);
}

const plainNames: Readonly<Record<string, string>> = {
  "token_embd.weight": "model.embed_tokens.weight",
  "output_norm.weight": "model.norm.weight",
  "output.weight": "lm_head.weight",
};

const layerNames: Readonly<Record<string, string>> = {
  attn_norm: "input_layernorm",
  attn_q: "self_attn.q_proj",
  attn_q_norm: "self_attn.q_norm",
  attn_k: "self_attn.k_proj",
  attn_k_norm: "self_attn.k_norm",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  ffn_norm: "post_attention_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};

/** A name that is not known stays as it is: a tensor that nothing uses ends the import. */
function canonicalName(name: string, fused: Readonly<Record<string, string>>): string {
  const [, layer, part = "", kind] = /^blk\.(\d{1,4})\.(\w+)\.(weight|bias)$/.exec(name) ?? [];
  const names = Object.hasOwn(fused, part) ? fused : layerNames;
  const known = Object.hasOwn(names, part) ? names[part] : undefined;
  if (known !== undefined) return `model.layers.${layer}.${known}.${kind}`;
  return Object.hasOwn(plainNames, name) ? (plainNames[name] as string) : name;
}

/** The tensors under HF's names and in HF's row order. */
export function ggufTensors(file: GgufFile, config: DecoderConfig): TensorSource {
  const { interleaved, fused = {} } = ggufArchitecture(file);
  const names = renamedTensors(file, (name) =>
    ropeFactorTensors.has(name) ? null : canonicalName(name, fused),
  );
  const { tensors } = names;
  return {
    tensors,
    async readRows(name, rows) {
      const info = tensors.get(name);
      if (!interleaved || info === undefined || !/\.self_attn\.[qk]_proj\.weight$/.test(name)) {
        return names.readRows(name, rows);
      }
      checkRows(info, rows);
      return readTurnedRows(names, { info, rows, headSize: config.headSize });
    },
    close: () => file.close(),
  };
}

interface TurnedRows {
  readonly info: TensorInfo;
  readonly rows: RowRange;
  readonly headSize: number;
}

async function readTurnedRows(
  source: TensorSource,
  { info, rows, headSize }: TurnedRows,
): Promise<Float32Array> {
  const columns = rowLength(info);
  const firstHead = Math.floor(rows.first / headSize);
  const endHead = Math.ceil((rows.first + rows.count) / headSize);
  const whole = { first: firstHead * headSize, count: (endHead - firstHead) * headSize };
  const read = await source.readRows(info.name, whole);
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
    const config = checkDecoderConfig(await ggufDecoderConfig(file));
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
