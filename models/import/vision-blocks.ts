import type { GraphScope } from "./decoder-blocks.ts";
import { linear } from "./decoder-blocks.ts";
import type { VisionConfig, VisionDesign, VisionLayerNames } from "./encoders/vision-design.ts";
import { float, int, ints, text } from "./graph-builder.ts";
import { writeTensor, writeVector } from "./graph-weights.ts";
import { positionTable } from "./position-table.ts";

export interface VisionScope extends GraphScope {
  readonly config: VisionConfig;
  readonly design: VisionDesign;
}

/** `pixel_values` [n, 3, size, size] → features [n, patches (and the class token), hidden]. */
export async function visionFeatures(scope: VisionScope, pixels: string): Promise<string> {
  const { builder, config, design } = scope;
  let hidden = await patchTokens(scope, pixels);
  if (design.firstNorm !== null) {
    hidden = await layerNorm(scope, { name: "vision/first_norm", input: hidden, source: design.firstNorm });
  }
  for (let layer = 0; layer < config.layers; layer++) {
    hidden = await visionLayer(scope, { name: `vision/${layer}`, names: design.layer(layer), hidden });
  }
  if (config.lastNorm) {
    hidden = await layerNorm(scope, { name: "vision/last_norm", input: hidden, source: design.lastNorm });
  }
  if (design.classToken === null || config.keepClassToken) return hidden;
  const number = (name: string, value: number) =>
    builder.constant({ name, type: "int64", shape: [1] }, BigInt64Array.of(BigInt(value)));
  return builder.node({
    name: "vision/features",
    op: "Slice",
    inputs: [hidden, number("vision/one", 1), number("vision/all", 2 ** 31 - 1), number("vision/axis", 1)],
  });
}

/** Patches as tokens with their positions, behind the class token where there is one: [n, tokens, hidden]. */
async function patchTokens(scope: VisionScope, pixels: string): Promise<string> {
  const { builder, config, design, writer } = scope;
  const { hidden, patchSize } = config;
  const kernel = await writeTensor(builder, writer, {
    source: `${design.patches}.weight`,
    shape: [hidden, 3, patchSize, patchSize],
  });
  const inputs = [pixels, kernel];
  if (design.patchBias) {
    const source = `${design.patches}.bias`;
    inputs.push(await writeVector(builder, writer.tensors, { source, length: hidden }));
  }
  const planes = builder.node({
    name: "vision/planes",
    op: "Conv",
    inputs,
    attributes: { kernel_shape: ints([patchSize, patchSize]), strides: ints([patchSize, patchSize]) },
  });
  const rows = builder.reshape("vision/rows", planes, [0, hidden, -1]);
  const patches = builder.node({
    name: "vision/patches",
    op: "Transpose",
    inputs: [rows],
    attributes: { perm: ints([0, 2, 1]) },
  });
  const { table, tokens } = await positionTable(writer.tensors, design, config);
  const positions = builder.constant(
    { name: "vision/positions", type: "float32", shape: [1, tokens, hidden] },
    table,
  );
  const all = design.classToken === null ? patches : await withClassToken(scope, { pixels, patches });
  return builder.node({ name: "vision/tokens", op: "Add", inputs: [all, positions] });
}

async function withClassToken(
  { builder, config, design, writer }: VisionScope,
  { pixels, patches }: { readonly pixels: string; readonly patches: string },
): Promise<string> {
  const source = design.classToken ?? "";
  const rows = { first: 0, count: 1 };
  const values = await writer.tensors.readRows(source, rows);
  const token = builder.constant(
    { name: source, type: "float32", shape: [1, 1, config.hidden] },
    values.slice(0, config.hidden),
  );
  const batch = builder.node({
    name: "vision/batch",
    op: "Shape",
    inputs: [pixels],
    attributes: { start: int(0), end: int(1) },
  });
  const rest = builder.constant(
    { name: "vision/class_shape", type: "int64", shape: [2] },
    BigInt64Array.of(1n, BigInt(config.hidden)),
  );
  const shape = builder.node({
    name: "vision/class_batch",
    op: "Concat",
    inputs: [batch, rest],
    attributes: { axis: int(0) },
  });
  const expanded = builder.node({ name: "vision/class", op: "Expand", inputs: [token, shape] });
  return builder.node({
    name: "vision/with_class",
    op: "Concat",
    inputs: [expanded, patches],
    attributes: { axis: int(1) },
  });
}

async function visionLayer(
  scope: VisionScope,
  {
    name,
    names,
    hidden,
  }: { readonly name: string; readonly names: VisionLayerNames; readonly hidden: string },
): Promise<string> {
  const { builder, config } = scope;
  const square = { rows: config.hidden, columns: config.hidden, bias: true };
  const normed = await layerNorm(scope, { name: `${name}/norm1`, input: hidden, source: names.norm1 });
  const project = (part: string, source: string) =>
    linear(scope, { name: `${name}/${part}`, input: normed, sources: [`${source}.weight`], ...square });
  const attended = builder.node({
    name: `${name}/attention`,
    op: "MultiHeadAttention",
    inputs: [
      await project("query", names.query),
      await project("key", names.key),
      await project("value", names.value),
    ],
    attributes: { num_heads: int(config.heads) },
  });
  const output = await linear(scope, {
    name: `${name}/output`,
    input: attended,
    sources: [`${names.output}.weight`],
    ...square,
  });
  const middle = await addPart(scope, { name: `${name}/middle`, part: output, hidden, scale: names.scale1 });
  const up = await linear(scope, {
    name: `${name}/up`,
    input: await layerNorm(scope, { name: `${name}/norm2`, input: middle, source: names.norm2 }),
    sources: [`${names.up}.weight`],
    rows: config.intermediate,
    columns: config.hidden,
    bias: true,
  });
  const down = await linear(scope, {
    name: `${name}/down`,
    input: activate(scope, { name: `${name}/active`, input: up, kind: config.activation }),
    sources: [`${names.down}.weight`],
    rows: config.hidden,
    columns: config.intermediate,
    bias: true,
  });
  return addPart(scope, { name: `${name}/end`, part: down, hidden: middle, scale: names.scale2 });
}

interface PartSpec {
  readonly name: string;
  readonly part: string;
  readonly hidden: string;
  readonly scale: string | null;
}

async function addPart(scope: VisionScope, { name, part, hidden, scale }: PartSpec): Promise<string> {
  const { builder, config, writer } = scope;
  if (scale === null) return builder.node({ name, op: "Add", inputs: [hidden, part] });
  const factor = await writeVector(builder, writer.tensors, { source: scale, length: config.hidden });
  const scaled = builder.node({ name: `${name}/scaled`, op: "Mul", inputs: [part, factor] });
  return builder.node({ name, op: "Add", inputs: [hidden, scaled] });
}

export interface ActivationSpec {
  readonly name: string;
  readonly input: string;
  readonly kind: VisionConfig["activation"];
}

export function activate({ builder }: GraphScope, { name, input, kind }: ActivationSpec): string {
  if (kind === "quick-gelu") {
    return builder.node({ name, op: "QuickGelu", inputs: [input], attributes: { alpha: float(1.702) } });
  }
  const attributes = { approximate: text(kind === "gelu" ? "none" : "tanh") };
  return builder.node({ name, op: "Gelu", inputs: [input], attributes });
}

async function layerNorm(
  { builder, config, writer }: VisionScope,
  { name, input, source }: { readonly name: string; readonly input: string; readonly source: string },
): Promise<string> {
  const vector = (part: string) =>
    writeVector(builder, writer.tensors, { source: `${source}.${part}`, length: config.hidden });
  return builder.node({
    name,
    op: "LayerNormalization",
    inputs: [input, await vector("weight"), await vector("bias")],
    attributes: { axis: int(-1), epsilon: float(config.normEpsilon) },
  });
}
