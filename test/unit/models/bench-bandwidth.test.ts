import { expect, it } from "vitest";
import { readBandwidth } from "../../../models/bench/bandwidth.ts";
import { bytesPerToken } from "../../../models/bench/bytes-per-token.ts";
import { GraphBuilder, int } from "../../../models/import/graph-builder.ts";

it("a token reads each matrix with a scale and a sum for each block once, and the keys and values before it", () => {
  const builder = new GraphBuilder("decoder");
  const hidden = builder.input("inputs_embeds", "float32", ["batch", "seq", 64]);
  builder.input("past_key_0", "float32", ["batch", 2, "capacity", 16]);
  builder.input("past_value_0", "float32", ["batch", 2, "capacity", 16]);
  const weight = builder.constant({ name: "plain", type: "float32", shape: [64, 10] }, new Float32Array(640));
  const packed = (name: string, inputs: string[], bits: number) =>
    builder.node({
      name,
      op: "MatMulNBits",
      inputs,
      attributes: { K: int(64), N: int(100), bits: int(bits), block_size: int(32) },
    });
  packed("with-zeros", [hidden, "weights", "scales", "zeros"], 4);
  packed("without", [hidden, "weights", "scales"], 8);
  builder.node({ name: "small", op: "MatMul", inputs: [hidden, weight] });
  // A product of two activations reads no weights.
  builder.node({ name: "scores", op: "MatMul", inputs: [hidden, hidden] });
  const model = builder.model({ architecture: "test" });
  const matrices = 100 * (32 + 2 * 8) + 100 * (64 + 2 * 8) + 640 * 4;
  expect(bytesPerToken(model, 0)).toBe(matrices);
  expect(bytesPerToken(model, 128)).toBe(matrices + 128 * 2 * 2 * 16 * 4);
});

it("memory is read by several threads at once", async () => {
  const rate = await readBandwidth(2, 4 * 1024 * 1024);
  expect(rate).toBeGreaterThan(0);
  expect(Number.isFinite(rate)).toBe(true);
});
