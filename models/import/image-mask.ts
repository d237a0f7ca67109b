import { int, type GraphBuilder } from "./graph-builder.ts";

/** What is added to attention scores, [1, 1, seq, total] each: nothing, or a number that leaves no weight. */
export interface AttentionMasks {
  readonly all: string;
  readonly window: string;
}

/** A number in half precision too. */
const hidden = -60_000;

/**
 * Masks for one sequence in which the tokens of an image see each other, those behind them too, and all else sees what
 * is before it. `image_blocks` int64 [1, seq] numbers the images of the run from 1; text is 0. An image must not be
 * spread over two runs.
 */
export function imageMasks(builder: GraphBuilder, window: number | null): AttentionMasks {
  const node = (name: string, op: string, inputs: readonly string[]) =>
    builder.node({ name: `masks/${name}`, op, inputs });
  const scalar = (name: string, value: number) =>
    builder.constant({ name: `masks/${name}`, type: "int64", shape: [] }, BigInt64Array.of(BigInt(value)));
  const list = (name: string, values: readonly number[]) =>
    builder.constant(
      { name: `masks/${name}`, type: "int64", shape: [values.length] },
      BigInt64Array.from(values, BigInt),
    );
  const number = (name: string, value: number) =>
    builder.constant({ name: `masks/${name}`, type: "float32", shape: [] }, Float32Array.of(value));
  const toInt64 = (name: string, input: string) =>
    builder.node({ name: `masks/${name}`, op: "Cast", inputs: [input], attributes: { to: int(7) } });

  const blocks = node("blocks", "Reshape", [
    builder.input("image_blocks", "int64", ["batch", "seq"]),
    list("flat", [-1]),
  ]);
  const total = toInt64("total", "total_sequence_length");
  const length = node("length", "Squeeze", [node("shape", "Shape", [blocks])]);
  const past = node("past", "Sub", [total, length]);
  const keys = node("keys", "Range", [scalar("zero", 0), total, scalar("one", 1)]);
  const column = list("column", [-1, 1]);
  const queries = node("queries", "Reshape", [
    node("query_row", "Range", [past, total, "masks/one"]),
    column,
  ]);
  const before = node("before", "LessOrEqual", [keys, queries]);
  const none = toInt64(
    "none",
    node("nothing", "ConstantOfShape", [node("past_shape", "Reshape", [past, list("one_long", [1])])]),
  );
  const keyBlocks = builder.node({
    name: "masks/key_blocks",
    op: "Concat",
    inputs: [none, blocks],
    attributes: { axis: int(0) },
  });
  const queryBlocks = node("query_blocks", "Reshape", [blocks, column]);
  const same = node("same", "And", [
    node("equal", "Equal", [keyBlocks, queryBlocks]),
    node("in_image", "Greater", [queryBlocks, "masks/zero"]),
  ]);
  const seen = node("seen", "Or", [before, same]);
  const [nothing, all] = [number("visible", 0), number("invisible", hidden)];
  const mask = (name: string, visible: string) =>
    node(name, "Unsqueeze", [node(`${name}_plain`, "Where", [visible, nothing, all]), list("front", [0, 1])]);
  const whole = mask("all", seen);
  if (window === null) return { all: whole, window: whole };
  const near = node("near", "Greater", [keys, node("edge", "Sub", [queries, scalar("window", window)])]);
  return { all: whole, window: mask("near_only", node("near_seen", "And", [seen, near])) };
}
