import type { DecoderConfig } from "./decoder-config.ts";
import { float, int, type GraphBuilder } from "./graph-builder.ts";
import {
  multiply,
  rmsEpsilon,
  writeMatrix,
  writeVector,
  type MatrixWriter,
  type Precision,
} from "./graph-weights.ts";

/** What the blocks of a decoder share while its graph is written. */
export interface DecoderScope {
  readonly builder: GraphBuilder;
  readonly writer: MatrixWriter;
  readonly config: DecoderConfig;
  /** Chosen by the name of the matrix's first tensor. */
  readonly precision: (source: string) => Precision;
}

export interface LinearSpec {
  /** Name of the node; adapters and profiles refer to it. */
  readonly name: string;
  readonly input: string;
  readonly sources: readonly string[];
  readonly rows: number;
  readonly columns: number;
}

/** [.., columns] → [.., rows], the sources' outputs side by side. */
export async function linear(scope: DecoderScope, spec: LinearSpec): Promise<string> {
  const matrix = await writeMatrix(scope.writer, {
    name: `${spec.name}.weight`,
    sources: spec.sources,
    shape: { rows: spec.rows, columns: spec.columns },
    precision: scope.precision(spec.sources[0] as string),
  });
  return multiply(scope.builder, matrix, { name: spec.name, input: spec.input });
}

export interface NormSpec {
  readonly name: string;
  readonly input: string;
  readonly source: string;
}

export async function rmsNorm(scope: DecoderScope, { name, input, source }: NormSpec): Promise<string> {
  const { builder, config } = scope;
  const weight = await writeVector(builder, scope.writer.tensors, { source, length: config.hidden });
  return builder.node({
    name,
    op: "SimplifiedLayerNormalization",
    inputs: [input, weight],
    attributes: { axis: int(-1), ...rmsEpsilon(config.normEpsilon) },
  });
}

/** `input + skip` and its norm, in one kernel. */
export async function addAndNorm(
  scope: DecoderScope,
  spec: NormSpec & { readonly skip: string },
): Promise<{ readonly sum: string; readonly normed: string }> {
  const { builder, config } = scope;
  const weight = await writeVector(builder, scope.writer.tensors, {
    source: spec.source,
    length: config.hidden,
  });
  const sum = `${spec.name}/sum`;
  const normed = builder.node({
    name: spec.name,
    op: "SkipSimplifiedLayerNormalization",
    inputs: [spec.input, spec.skip, weight],
    outputs: [spec.name, "", "", sum],
    attributes: rmsEpsilon(config.normEpsilon),
  });
  return { sum, normed };
}

/**
 * cos and sin of position × frequency, [contextLength, headSize ÷ 2] each. Computed by constant nodes, so that the
 * pack does not carry megabytes of a formula.
 */
export function rotaryTables(builder: GraphBuilder, config: DecoderConfig): { cos: string; sin: string } {
  const half = config.headSize / 2;
  const frequencies = Float32Array.from(
    { length: half },
    (_, i) => 1 / config.ropeTheta ** ((2 * i) / config.headSize),
  );
  const scalar = (name: string, value: number) =>
    builder.constant({ name, type: "int64", shape: [] }, BigInt64Array.of(BigInt(value)));
  const positions = builder.node({
    name: "rotary/positions",
    op: "Range",
    inputs: [
      scalar("rotary/start", 0),
      scalar("rotary/limit", config.contextLength),
      scalar("rotary/step", 1),
    ],
  });
  const numbers = builder.node({
    name: "rotary/numbers",
    op: "Cast",
    inputs: [positions],
    attributes: { to: int(1) },
  });
  const column = builder.node({
    name: "rotary/column",
    op: "Reshape",
    inputs: [
      numbers,
      builder.constant({ name: "rotary/shape", type: "int64", shape: [2] }, BigInt64Array.of(-1n, 1n)),
    ],
  });
  const angles = builder.node({
    name: "rotary/angles",
    op: "Mul",
    inputs: [
      column,
      builder.constant({ name: "rotary/frequencies", type: "float32", shape: [1, half] }, frequencies),
    ],
  });
  return {
    cos: builder.node({ name: "rotary/cos", op: "Cos", inputs: [angles] }),
    sin: builder.node({ name: "rotary/sin", op: "Sin", inputs: [angles] }),
  };
}

export interface AttentionSpec {
  readonly layer: number;
  /** [batch, seq, (heads + 2 × kvHeads) × headSize] */
  readonly packedQkv: string;
  readonly cos: string;
  readonly sin: string;
}

/** Grouped-query attention over the cache, [batch, seq, heads × headSize]; rotary positions are applied by the kernel. */
export function cachedAttention({ builder, config }: DecoderScope, spec: AttentionSpec): string {
  const { kvHeads, headSize } = config;
  const cacheShape = ["batch", kvHeads, "capacity", headSize];
  const past = [`past_key_${spec.layer}`, `past_value_${spec.layer}`];
  const present = [`present_key_${spec.layer}`, `present_value_${spec.layer}`];
  for (const name of past) builder.input(name, "float32", cacheShape);
  for (const name of present) builder.output(name, "float32", cacheShape);
  const output = `layers/${spec.layer}/attention`;
  return builder.node({
    name: output,
    op: "GroupQueryAttention",
    inputs: [spec.packedQkv, "", "", ...past, "seqlens_k", "total_sequence_length", spec.cos, spec.sin],
    outputs: [output, ...present],
    attributes: {
      num_heads: int(config.heads),
      kv_num_heads: int(kvHeads),
      do_rotary: int(1),
      rotary_interleaved: int(0),
      scale: float(1 / Math.sqrt(headSize)),
    },
  });
}

export interface GatedMlpSpec {
  readonly name: string;
  readonly input: string;
  readonly gate: string;
  readonly up: string;
}

/** SiLU(gate × x) · (up × x), [.., intermediate]; both matrices are read in one product. */
export async function siluGate(scope: DecoderScope, spec: GatedMlpSpec): Promise<string> {
  const { builder, config } = scope;
  const both = await linear(scope, {
    name: `${spec.name}/gate_up`,
    input: spec.input,
    sources: [spec.gate, spec.up],
    rows: config.intermediate * 2,
    columns: config.hidden,
  });
  const gate = `${spec.name}/gate`;
  const up = `${spec.name}/up`;
  builder.node({
    name: `${spec.name}/split`,
    op: "Split",
    inputs: [both],
    outputs: [gate, up],
    attributes: { axis: int(-1), num_outputs: int(2) },
  });
  // QuickGelu with alpha 1 is x × sigmoid(x): SiLU in one kernel.
  const silu = builder.node({
    name: `${spec.name}/silu`,
    op: "QuickGelu",
    inputs: [gate],
    attributes: { alpha: float(1) },
  });
  return builder.node({ name: `${spec.name}/product`, op: "Mul", inputs: [silu, up] });
}
