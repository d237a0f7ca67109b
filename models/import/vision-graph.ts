import type { ModelProto } from "../onnx/onnx-proto.ts";
import type { VisionPart } from "./checkpoint.ts";
import { GraphBuilder } from "./graph-builder.ts";
import type { MatrixWriter, PrecisionRule } from "./graph-weights.ts";
import { project } from "./projector.ts";
import { visionFeatures } from "./vision-blocks.ts";

export interface VisionGraphOptions {
  readonly vision: VisionPart;
  /** Of the language model. */
  readonly hidden: number;
  readonly writer: Omit<MatrixWriter, "tensors">;
  readonly precision: PrecisionRule;
}

/** `pixel_values` float32 [n, 3, size, size] → `image_embeddings` float32 [n, tokens, hidden]. */
export async function buildVisionGraph(options: VisionGraphOptions): Promise<ModelProto> {
  const { vision, hidden, precision } = options;
  const { config, design, projector, tensors } = vision;
  const builder = new GraphBuilder("vision");
  const writer = { ...options.writer, tensors };
  const size = config.imageSize;
  const pixels = builder.input("pixel_values", "float32", ["n", 3, size, size]);
  builder.output("image_embeddings", "float32", ["n", imageTokens(vision), hidden]);
  const scope = { builder, writer, precision };
  const features = await visionFeatures({ ...scope, config, design }, pixels);
  const grid = size / config.patchSize;
  await project(scope, { projector, input: features, features: config.hidden, hidden, grid });
  return builder.model({ architecture: vision.name });
}

/** Rows and columns of the image's tokens; one row where a class token stands among them. */
export function tokenGrid({ config, design, projector }: VisionPart): readonly [number, number] {
  if (projector.type === "average-pool") return [projector.side, projector.side];
  const side = config.imageSize / config.patchSize;
  return design.classToken !== null && config.keepClassToken ? [1, side * side + 1] : [side, side];
}

export function imageTokens(vision: VisionPart): number {
  const [rows, columns] = tokenGrid(vision);
  return rows * columns;
}
