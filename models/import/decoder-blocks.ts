import type { DecoderConfig } from "./decoder-config.ts";
import { float, int, text, type GraphBuilder } from "./graph-builder.ts";
import {
  multiply,
  readScalar,
  rmsEpsilon,
  writeMatrix,
  writeVector,
  writeVectors,
  type MatrixWriter,
  type PrecisionRule,
} from "./graph-weights.ts";

/** What linear layers need while a graph is written. */
export interface GraphScope {
  readonly builder: GraphBuilder;
  readonly writer: MatrixWriter;
  /** Chosen by the name of the matrix's first tensor and its columns. */
  readonly precision: PrecisionRule;
}

/** What the blocks of a decoder share while its graph is written. */
export interface DecoderScope extends GraphScope {
  readonly config: DecoderConfig;
}

export interface LinearSpec {
  /** Name of the node; adapters and profiles refer to it. */
  readonly name: string;
  readonly input: string;
  readonly sources: readonly string[];
  readonly rows: number;
  readonly columns: number;
  /** Each source has a vector of the same name with `.bias` in place of `.weight`. */
  readonly bias: boolean;
}

/** [.., columns] → [.., rows], the sources' outputs side by side. */
export async function linear(scope: GraphScope, spec: LinearSpec): Promise<string> {
  const { builder, writer } = scope;
  const [first = ""] = spec.sources;
  const matrix = await writeMatrix(writer, {
    name: `${spec.name}.weight`,
    sources: spec.sources,
    shape: { rows: spec.rows, columns: spec.columns },
    precision: scope.precision(first, spec.columns, writer.tensors.tensors.get(first)?.type),
  });
  if (!spec.bias) return multiply(builder, matrix, { name: spec.name, input: spec.input });
  const product = multiply(builder, matrix, { name: `${spec.name}/product`, input: spec.input });
  const bias = await writeVectors(builder, writer.tensors, {
    name: `${spec.name}.bias`,
    sources: spec.sources.map((source) => source.replace(/\.weight$/, ".bias")),
    length: spec.rows,
  });
  return builder.node({ name: spec.name, op: "Add", inputs: [product, bias] });
}

export interface NormSpec {
  readonly name: string;
  readonly input: string;
  readonly source: string;
}

export async function rmsNorm(scope: DecoderScope, { name, input, source }: NormSpec): Promise<string> {
  const { builder, config } = scope;
  const weight = await writeVector(builder, scope.writer.tensors, {
    source,
    length: config.hidden,
    offset: config.normOffset,
  });
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
    offset: config.normOffset,
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

export function addOnly(
  { builder }: DecoderScope,
  { name, input, skip }: { readonly name: string; readonly input: string; readonly skip: string },
): string {
  return builder.node({ name, op: "Add", inputs: [input, skip] });
}

export interface GatedMlpSpec {
  readonly name: string;
  readonly input: string;
  readonly gateUp: readonly string[];
  readonly activation: "silu" | "gelu-tanh";
}

/** activation(gate × x) · (up × x), [.., intermediate]; both matrices are read in one product. */
export async function gatedMlp(scope: DecoderScope, spec: GatedMlpSpec): Promise<string> {
  const { builder, config } = scope;
  const both = await linear(scope, {
    name: `${spec.name}/gate_up`,
    input: spec.input,
    sources: spec.gateUp,
    rows: config.intermediate * 2,
    columns: config.hidden,
    bias: config.biases.mlp,
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
  const active =
    spec.activation === "silu"
      ? // QuickGelu with alpha 1 is x × sigmoid(x): SiLU in one kernel.
        builder.node({
          name: `${spec.name}/silu`,
          op: "QuickGelu",
          inputs: [gate],
          attributes: { alpha: float(1) },
        })
      : builder.node({
          name: `${spec.name}/gelu`,
          op: "Gelu",
          inputs: [gate],
          attributes: { approximate: text("tanh") },
        });
  return builder.node({ name: `${spec.name}/product`, op: "Mul", inputs: [active, up] });
}

export interface XieluMlpSpec {
  readonly name: string;
  readonly input: string;
  readonly up: string;
  /** Its tensors are `.alpha_p`, `.alpha_n` and perhaps `.beta`. */
  readonly activation: string;
}

/** xIELU(up × x), [.., intermediate] (arXiv 2411.13010): a parabola above zero, an exponential with a slope below. */
export async function xieluMlp(scope: DecoderScope, spec: XieluMlpSpec): Promise<string> {
  const { builder, config, writer } = scope;
  const x = await linear(scope, {
    name: `${spec.name}/up`,
    input: spec.input,
    sources: [spec.up],
    rows: config.intermediate,
    columns: config.hidden,
    bias: config.biases.mlp,
  });
  const beta = writer.tensors.tensors.has(`${spec.activation}.beta`)
    ? await readScalar(writer.tensors, `${spec.activation}.beta`)
    : 0.5;
  const positive = softplus(await readScalar(writer.tensors, `${spec.activation}.alpha_p`));
  const negative = beta + softplus(await readScalar(writer.tensors, `${spec.activation}.alpha_n`));
  const scalar = (part: string, value: number) =>
    builder.constant({ name: `${spec.name}/${part}`, type: "float32", shape: [] }, Float32Array.of(value));
  const node = (part: string, op: string, inputs: string[]) =>
    builder.node({ name: `${spec.name}/${part}`, op, inputs });
  const above = node("above", "Relu", [x]);
  const below = node("below", "Sub", [x, above]);
  const parabola = node("parabola", "Mul", [
    node("square", "Mul", [above, above]),
    scalar("alpha_p", positive),
  ]);
  const grown = node("grown", "Sub", [node("exp", "Exp", [below]), scalar("one", 1)]);
  const curve = node("curve", "Mul", [node("bent", "Sub", [grown, below]), scalar("alpha_n", negative)]);
  const line = node("line", "Mul", [x, scalar("beta", beta)]);
  return node("xielu", "Sum", [parabola, curve, line]);
}

function softplus(value: number): number {
  return Math.log1p(Math.exp(-Math.abs(value))) + Math.max(value, 0);
}
