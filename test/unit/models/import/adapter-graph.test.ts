import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addAdapter } from "../../../../models/import/adapter-graph.ts";
import { modelBytes } from "../../../../models/import/graph-builder.ts";
import type { TensorInfo, TensorSource } from "../../../../models/import/tensor-source.ts";
import { parseGraph } from "../../../../models/pack/graph-references.ts";
import { normals } from "../tiny-decoder.ts";
import { fixtures, relativeDifference, runImport, temporaryFolder } from "./imported-language.ts";

const [hidden, intermediate, kvWidth, rank] = [64, 128, 32, 4];
const shapes: Readonly<Record<string, readonly [number, number]>> = {
  q_proj: [hidden, hidden],
  k_proj: [hidden, kvWidth],
  v_proj: [hidden, kvWidth],
  o_proj: [hidden, hidden],
  gate_proj: [hidden, intermediate],
  up_proj: [hidden, intermediate],
  down_proj: [intermediate, hidden],
};

/** A random adapter in memory; `scale` 0 makes one that changes nothing. */
function adapter(scale: number, layers: readonly number[] = [0, 1]): TensorSource {
  const random = normals(31);
  const values = new Map<string, Float32Array>();
  const tensors = new Map<string, TensorInfo>();
  const add = (name: string, shape: readonly [number, number], by: number) => {
    values.set(
      name,
      Float32Array.from({ length: shape[0] * shape[1] }, () => random() * by),
    );
    tensors.set(name, { name, shape, type: "F32", offset: 0, bytes: 0 });
  };
  for (const layer of layers) {
    for (const [name, [input, output]] of Object.entries(shapes)) {
      add(`layers.${layer}.${name}.lora_A`, [input, rank], 0.2);
      add(`layers.${layer}.${name}.lora_B`, [rank, output], scale);
    }
  }
  return {
    tensors,
    readRows: async (name) => values.get(name) ?? new Float32Array(),
    close: async () => undefined,
  };
}

/** Logits of three fixed embeddings. */
async function logits(file: string): Promise<Float32Array> {
  const session = await InferenceSession.create(file);
  const feeds: Record<string, Tensor> = {
    inputs_embeds: new Tensor(
      "float32",
      Float32Array.from({ length: hidden * 3 }, (_, i) => Math.sin(i)),
      [1, 3, hidden],
    ),
    seqlens_k: new Tensor("int32", Int32Array.of(2), [1]),
    total_sequence_length: new Tensor("int32", Int32Array.of(3), []),
    logit_rows: new Tensor("int64", [0n, 1n, 2n], [3]),
  };
  for (const name of session.inputNames.filter((one) => one.startsWith("past_"))) {
    feeds[name] = new Tensor("float32", new Float32Array(2 * 8 * 16), [1, 2, 8, 16]);
  }
  const result = await session.run(feeds);
  await session.release();
  return result["logits"]!.data as Float32Array;
}

describe("an adapter in a decoder graph", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let plain: string;
  beforeAll(async () => {
    folder = await temporaryFolder();
    const source = path.join(fixtures, "tiny-llama.gguf");
    const pack = await runImport({ source, targetFolder: folder.path, name: "whole", precision: "float32" });
    plain = path.join(pack, "decoder.onnx");
  });
  afterAll(() => folder.remove());

  async function withAdapter(name: string, tensors: TensorSource): Promise<string> {
    const file = path.join(path.dirname(plain), `${name}.onnx`);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, modelBytes(await addAdapter(parseGraph(await readFile(plain)), tensors)));
    return file;
  }

  it("changes nothing while its second factor is zero", async () => {
    const file = await withAdapter("zero", adapter(0));
    expect(relativeDifference(await logits(file), await logits(plain))).toBeLessThan(1e-5);
  });

  it("gives the logits of a checkpoint into which it was merged, within its 8-bit rounding", async () => {
    const lora = adapter(0.05);
    const adapted = await logits(await withAdapter("lora", lora));
    const merged = path.join(path.dirname(plain), "merged.onnx");
    await writeFile(merged, modelBytes(await mergeInto(plain, lora)));
    const expected = await logits(merged);
    expect(relativeDifference(adapted, expected)).toBeLessThan(0.02);
    expect(relativeDifference(await logits(plain), expected)).toBeGreaterThan(0.1);
  });

  it("may change some layers only", async () => {
    const file = await withAdapter("one", adapter(0.05, [1]));
    expect(relativeDifference(await logits(file), await logits(plain))).toBeGreaterThan(0.01);
  });

  it("is refused when a tensor of it has no place", async () => {
    await expect(withAdapter("far", adapter(0.05, [0, 7]))).rejects.toMatchObject({ code: "not-supported" });
  });
});

/** The plain way: each matrix's bytes in the weights file with B A added, row by row. */
async function mergeInto(decoder: string, lora: TensorSource) {
  const model = parseGraph(await readFile(decoder));
  const weights = new Uint8Array(await readFile(path.join(path.dirname(decoder), "weights-0.bin")));
  const parts: Readonly<Record<string, readonly string[]>> = {
    qkv: ["q_proj", "k_proj", "v_proj"],
    o: ["o_proj"],
    "mlp/gate_up": ["gate_proj", "up_proj"],
    down: ["down_proj"],
  };
  for (const tensor of model.graph!.initializer) {
    const place = /^layers\/(\d)\/(.+)\.weight$/.exec(tensor.name);
    if (place === null) continue;
    const offset = Number(tensor.externalData.find(({ key }) => key === "offset")!.value);
    const columns = Number(tensor.dims[1]);
    const matrix = new Float32Array(weights.buffer, offset, Number(tensor.dims[0]) * columns);
    let first = 0;
    for (const part of parts[place[2]!]!) {
      const a = await lora.readRows(`layers.${place[1]}.${part}.lora_A`, { first: 0, count: 0 });
      const b = await lora.readRows(`layers.${place[1]}.${part}.lora_B`, { first: 0, count: 0 });
      const rows = b.length / rank;
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          for (let r = 0; r < rank; r++)
            matrix[(first + row) * columns + column]! += a[column * rank + r]! * b[r * rows + row]!;
        }
      }
      first += rows;
    }
    tensor.externalData.find(({ key }) => key === "location")!.value = "merged-0.bin";
  }
  await writeFile(path.join(path.dirname(decoder), "merged-0.bin"), weights);
  return model;
}
