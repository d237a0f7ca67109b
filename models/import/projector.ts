import { appError } from "../../core/errors.ts";
import { linear, type GraphScope } from "./decoder-blocks.ts";
import type { VisionConfig } from "./encoders/vision-design.ts";
import { float, int, ints } from "./graph-builder.ts";
import { writeVector } from "./graph-weights.ts";
import { rowCount, rowLength } from "./tensor-source.ts";
import { activate } from "./vision-blocks.ts";

/** What turns an encoder's features into tokens of the language model. */
export type Projector =
  | {
      readonly type: "mlp";
      /** Linear layers by name, the first first; between two stands the activation. */
      readonly layers: readonly string[];
      readonly activation: VisionConfig["activation"];
      readonly bias: boolean;
    }
  /** Gemma 3: the grid is averaged down to `side` × `side`, normed, and multiplied by `weight` [features, hidden]. */
  | {
      readonly type: "average-pool";
      readonly side: number;
      readonly norm: string;
      readonly weight: string;
      readonly normEpsilon: number;
    };

export interface ProjectorSpec {
  readonly projector: Projector;
  /** [n, tokens, features] */
  readonly input: string;
  readonly features: number;
  /** Of the language model. */
  readonly hidden: number;
  /** Patches of one side of the image. */
  readonly grid: number;
}

/** [n, tokens, hidden], named `image_embeddings`. */
export function project(scope: GraphScope, spec: ProjectorSpec): Promise<string> {
  return spec.projector.type === "mlp"
    ? projectByMlp(scope, spec, spec.projector)
    : projectByPooling(scope, spec, spec.projector);
}

async function projectByMlp(
  scope: GraphScope,
  { input, features, hidden }: ProjectorSpec,
  { layers, activation, bias }: Extract<Projector, { type: "mlp" }>,
): Promise<string> {
  let current = input;
  let columns = features;
  for (const [index, layer] of layers.entries()) {
    const last = index + 1 === layers.length;
    const source = `${layer}.weight`;
    const info = scope.writer.tensors.tensors.get(source);
    if (info === undefined)
      throw appError("model-file-damaged", `The model file lacks the tensor ${source}.`);
    const rows = last ? hidden : rowCount(info);
    current = await linear(scope, {
      name: last ? "image_embeddings" : `projector/${index}`,
      input: current,
      sources: [source],
      rows,
      columns,
      bias,
    });
    columns = rows;
    if (!last) {
      current = activate(scope, { name: `projector/${index}/active`, input: current, kind: activation });
    }
  }
  return current;
}

async function projectByPooling(
  { builder, writer }: GraphScope,
  { input, features, hidden, grid }: ProjectorSpec,
  { side, norm, weight, normEpsilon }: Extract<Projector, { type: "average-pool" }>,
): Promise<string> {
  if (grid % side !== 0)
    throw appError("model-file-damaged", "The image tokens do not divide the image's patches.");
  const kernel = grid / side;
  const turned = (name: string, from: string) =>
    builder.node({ name, op: "Transpose", inputs: [from], attributes: { perm: ints([0, 2, 1]) } });
  const planes = builder.reshape("projector/planes", turned("projector/channels", input), [
    0,
    features,
    grid,
    grid,
  ]);
  const pooled = builder.node({
    name: "projector/pooled",
    op: "AveragePool",
    inputs: [planes],
    attributes: { kernel_shape: ints([kernel, kernel]), strides: ints([kernel, kernel]) },
  });
  const rows = turned("projector/tokens", builder.reshape("projector/rows", pooled, [0, features, -1]));
  const scale = await writeVector(builder, writer.tensors, { source: norm, length: features, offset: 1 });
  const normed = builder.node({
    name: "projector/normed",
    op: "SimplifiedLayerNormalization",
    inputs: [rows, scale],
    attributes: { axis: int(-1), epsilon: float(normEpsilon) },
  });
  const info = writer.tensors.tensors.get(weight);
  if (info === undefined || rowCount(info) !== features || rowLength(info) !== hidden) {
    throw appError("model-file-damaged", `The tensor ${weight} is missing or has another shape.`);
  }
  const values = await writer.tensors.readRows(weight, { first: 0, count: features });
  const data = await writer.files.add(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  const matrix = builder.external({ name: weight, type: "float32", shape: [features, hidden] }, data);
  return builder.node({ name: "image_embeddings", op: "MatMul", inputs: [normed, matrix] });
}
