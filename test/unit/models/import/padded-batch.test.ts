import { readFileSync } from "node:fs";
import path from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, it } from "vitest";
import { fixtures, relativeDifference, runImport, temporaryFolder } from "./imported-language.ts";

const { ids, gguf } = JSON.parse(readFileSync(path.join(fixtures, "tiny-llama.json"), "utf8")) as {
  readonly ids: readonly [readonly number[], readonly number[]];
  readonly gguf: readonly (readonly (readonly number[])[])[];
};
const [kvHeads, headSize, layers, capacity] = [2, 16, 2, 16];

it("a batch of sequences of different length, padded on the right, gives each one's own logits", async () => {
  const folder = await temporaryFolder();
  const input = { source: path.join(fixtures, "tiny-llama.gguf"), targetFolder: folder.path, name: "whole" };
  const pack = await runImport({ ...input, precision: "float32" });
  const embed = await InferenceSession.create(path.join(pack, "embed.onnx"));
  const decoder = await InferenceSession.create(path.join(pack, "decoder.onnx"));
  const longest = Math.max(...ids.map((one) => one.length));
  const padded = ids.flatMap((one) => [...one, ...Array.from({ length: longest - one.length }, () => 0)]);
  const { embeddings } = await embed.run({
    input_ids: new Tensor("int64", padded.map(BigInt), [padded.length]),
  });

  const rows = ids.flatMap((one, i) => one.map((_, token) => BigInt(i * longest + token)));
  const feeds: Record<string, Tensor> = {
    inputs_embeds: new Tensor("float32", embeddings!.data as Float32Array, [
      2,
      longest,
      embeddings!.dims[1]!,
    ]),
    seqlens_k: new Tensor(
      "int32",
      Int32Array.from(ids, (one) => one.length - 1),
      [2],
    ),
    total_sequence_length: new Tensor("int32", Int32Array.of(longest), []),
    logit_rows: new Tensor("int64", rows, [rows.length]),
  };
  for (let layer = 0; layer < layers; layer++) {
    for (const kind of ["key", "value"]) {
      const shape = [2, kvHeads, capacity, headSize];
      feeds[`past_${kind}_${layer}`] = new Tensor(
        "float32",
        new Float32Array(2 * kvHeads * capacity * headSize),
        shape,
      );
    }
  }
  const { logits } = await decoder.run(feeds);
  const width = logits!.dims[1]!;
  gguf.flat().forEach((expected, row) => {
    const ours = (logits!.data as Float32Array).subarray(row * width, (row + 1) * width);
    expect(relativeDifference(ours, expected)).toBeLessThan(1e-3);
  });
  await embed.release();
  await decoder.release();
  await folder.remove();
});
