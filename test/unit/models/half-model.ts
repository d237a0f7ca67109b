import { mkdir } from "node:fs/promises";
import { plainDecoder, type DecoderConfig } from "../../../models/import/decoder-config.ts";
import { buildDecoderGraphs } from "../../../models/import/decoder-graph.ts";
import { modelBytes } from "../../../models/import/graph-builder.ts";
import { floatToHalf, halfToFloatTable } from "../../../models/import/half-float.ts";
import { precisionRules } from "../../../models/import/pack-precision.ts";
import type { TensorSource } from "../../../models/import/tensor-source.ts";
import { WeightFiles } from "../../../models/import/weight-files.ts";
import type { LanguageModelSource } from "../../../models/runtime/language-model.ts";
import { normals, tiny } from "./tiny-decoder.ts";
import { never } from "./tiny-model.ts";

/** A Llama of the tiny decoder's sizes. */
const config: DecoderConfig = {
  ...plainDecoder,
  architecture: "LlamaForCausalLM",
  layers: tiny.layers,
  hidden: tiny.hidden,
  intermediate: 48,
  heads: tiny.heads,
  kvHeads: tiny.kvHeads,
  headSize: tiny.headSize,
  vocabulary: tiny.vocabulary,
  contextLength: tiny.context,
  rotary: { theta: 100, width: tiny.headSize, scaling: { type: "none" } },
  normEpsilon: 1e-5,
  attentionScale: 1 / Math.sqrt(tiny.headSize),
  biases: { qkv: false, output: false, mlp: false },
  tiedEmbedding: false,
};

/** Random tensors; the token embedding is the tiny model's. `headFactor`: what the head's are multiplied by. */
function tensorsOf(headFactor: number): TensorSource {
  const width = tiny.heads * tiny.headSize;
  const kvWidth = tiny.kvHeads * tiny.headSize;
  const shapes: [name: string, ...shape: number[]][] = [
    ["model.embed_tokens.weight", tiny.vocabulary, tiny.hidden],
    ["lm_head.weight", tiny.vocabulary, tiny.hidden],
    ["model.norm.weight", tiny.hidden],
  ];
  for (let layer = 0; layer < tiny.layers; layer += 1) {
    const part = (name: string, ...shape: number[]) =>
      shapes.push([`model.layers.${layer}.${name}.weight`, ...shape]);
    part("input_layernorm", tiny.hidden);
    part("post_attention_layernorm", tiny.hidden);
    part("self_attn.q_proj", width, tiny.hidden);
    part("self_attn.k_proj", kvWidth, tiny.hidden);
    part("self_attn.v_proj", kvWidth, tiny.hidden);
    part("self_attn.o_proj", tiny.hidden, width);
    part("mlp.gate_proj", config.intermediate, tiny.hidden);
    part("mlp.up_proj", config.intermediate, tiny.hidden);
    part("mlp.down_proj", tiny.hidden, config.intermediate);
  }
  const values = new Map<string, Float32Array>();
  for (const [index, [name, ...shape]] of shapes.entries()) {
    const random = normals(11 + index);
    const columns = shape.at(-1) as number;
    const length = shape.reduce((product, size) => product * size, 1);
    const size = name.endsWith("embed_tokens.weight") ? 1 : 1.5 / Math.sqrt(columns);
    const factor = name === "lm_head.weight" ? size * headFactor : size;
    const norm = shape.length === 1;
    values.set(
      name,
      Float32Array.from({ length }, () => (norm ? 1 : factor * random())),
    );
  }
  return {
    tensors: new Map(
      shapes.map(([name, ...shape]) => [name, { name, shape, type: "F32", offset: 0, bytes: 0 }]),
    ),
    async readRows(name, { first, count }) {
      const all = values.get(name) as Float32Array;
      const columns = shapes.find(([one]) => one === name)?.at(-1) as number;
      return all.slice(first * columns, (first + count) * columns);
    },
    close: async () => undefined,
  };
}

/** What the importer makes of random weights with 16 bits (or whole), of the sizes of `tiny`. */
export async function writeTinyLlama(
  folder: string,
  precision: "half" | "float32",
  headFactor = 1,
): Promise<LanguageModelSource> {
  await mkdir(folder, { recursive: true });
  const files = await WeightFiles.open({ folder, stem: "weights", fileLimit: Infinity });
  const writer = { tensors: tensorsOf(headFactor), files, signal: never };
  const rule = precisionRules(precision, tiny.layers).language;
  const graphs = await buildDecoderGraphs({ config, writer, precision: rule });
  await files.close();
  const source = (graph: typeof graphs.embed) =>
    ({ type: "bytes", bytes: modelBytes(graph), dataFolder: folder }) as const;
  return {
    embed: source(graphs.embed),
    decoder: source(graphs.decoder),
    vocabulary: tiny.vocabulary,
    contextLength: tiny.context,
  };
}

/** The half-precision number nearest to a value. */
export function rounded(value: number): number {
  return halfToFloatTable()[floatToHalf(value)] as number;
}
