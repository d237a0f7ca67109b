import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { AppError } from "../../../../core/errors.ts";
import { bytesSource } from "../../../../models/import/byte-source.ts";
import { ggufDecoderConfig, ggufTensors } from "../../../../models/import/gguf-checkpoint.ts";
import { readGguf } from "../../../../models/import/gguf-reader.ts";
import { ggufTokenizer } from "../../../../models/import/gguf-tokenizer.ts";
import { checkDecoderConfig } from "../../../../models/import/decoder-config.ts";
import { readSafetensors } from "../../../../models/import/safetensors-reader.ts";
import { checkGraphReferences, parseGraph } from "../../../../models/pack/graph-references.ts";
import { GraphBuilder, modelBytes } from "../../../../models/import/graph-builder.ts";
import { packSchema } from "../../../../models/pack/pack-schema.ts";
import * as v from "valibot";
import { fixtures } from "./imported-language.ts";

const gguf = new Uint8Array(readFileSync(path.join(fixtures, "tiny-llama.gguf")));
const safetensors = new Uint8Array(readFileSync(path.join(fixtures, "tiny-llama/model.safetensors")));

/** Deterministic 32-bit numbers (xorshift). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

const extremes = [0, 1, 0x7f, 0x80, 0xff];

/** Changes up to eight bytes, cuts the file, or writes an extreme 64-bit number somewhere in the first `head` bytes. */
function mutate(bytes: Uint8Array, head: number, random: () => number): Uint8Array {
  const copy = bytes.slice();
  const kind = random() % 4;
  if (kind === 0) return copy.subarray(0, random() % copy.length);
  if (kind === 1) {
    const value = [0n, 1n, 2n ** 31n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n][random() % 6] as bigint;
    new DataView(copy.buffer).setBigUint64(random() % (Math.min(head, copy.length) - 8), value, true);
    return copy;
  }
  for (let i = 0; i < 1 + (random() % 8); i++) {
    copy[random() % Math.min(head, copy.length)] =
      kind === 2 ? (extremes[random() % extremes.length] as number) : random() & 0xff;
  }
  return copy;
}

/** Runs `read` on mutations and returns how many were refused; anything but a named error fails. */
async function refused(
  count: number,
  seed: number,
  read: (random: () => number) => Promise<void>,
): Promise<number> {
  const random = numbers(seed);
  let errors = 0;
  for (let i = 0; i < count; i++) {
    try {
      await read(random);
    } catch (thrown) {
      if (!(thrown instanceof AppError) || thrown.code === "internal") throw thrown;
      errors += 1;
    }
  }
  return errors;
}

describe("hostile model files", () => {
  it("of the GGUF form are read or refused by name", async () => {
    const errors = await refused(300, 7, async (random) => {
      const file = await readGguf(bytesSource(mutate(gguf, 8000, random)));
      const config = checkDecoderConfig(await ggufDecoderConfig(file));
      ggufTokenizer(file.metadata);
      const tensors = ggufTensors(file, config);
      for (const [name] of tensors.tensors) await tensors.readRows(name, { first: 0, count: 1 });
    });
    expect(errors).toBeGreaterThan(100);
  });

  it("of the safetensors form are read or refused by name", async () => {
    const errors = await refused(300, 11, async (random) => {
      const file = await readSafetensors(bytesSource(mutate(safetensors, 2500, random)));
      for (const [name] of file.tensors) await file.readRows(name, { first: 0, count: 1 });
    });
    expect(errors).toBeGreaterThan(100);
  });

  it("with graphs are read or refused by name, whatever the graph says about files", async () => {
    const builder = new GraphBuilder("g");
    for (let i = 0; i < 8; i++) {
      builder.external(
        { name: `w${i}`, type: "float32", shape: [4] },
        { location: "w.bin", offset: i * 16, length: 16 },
      );
    }
    const graph = modelBytes(builder.model());
    const errors = await refused(300, 13, async (random) => {
      checkGraphReferences(parseGraph(mutate(graph, graph.length, random)), new Map([["w.bin", 128]]));
    });
    expect(errors).toBeGreaterThan(50);
  });

  it("as pack.json never pass with a path that leaves the pack", () => {
    const random = numbers(17);
    const parts = ["..", ".", "a", "/", "\\", "c:", "\0", "con", "%2e%2e", "a ", "a.", "ä"];
    for (let i = 0; i < 300; i++) {
      const name = Array.from({ length: 1 + (random() % 4) }, () => parts[random() % parts.length]).join(
        random() % 2 === 0 ? "/" : "",
      );
      const file = { path: name, bytes: 1, sha256: "0".repeat(64) };
      const parsed = v.safeParse(packSchema, { ...minimalPack, files: [file] });
      if (parsed.success) expect(name).toMatch(/^[a-z0-9_][a-z0-9_.+-]*(?:\/[a-z0-9_][a-z0-9_.+-]*)*$/i);
    }
    expect(v.safeParse(packSchema, minimalPack).success).toBe(true);
  });

  it.each([
    ["overlapping tensors", { a: [0, 8], b: [4, 12] }],
    ["a gap between tensors", { a: [0, 8], b: [12, 20] }],
    ["an end beyond the file", { a: [0, 8], b: [8, 1016] }],
    ["a size that does not fit the shape", { a: [0, 8], b: [8, 12] }],
  ])("are refused for %s", async (_, places) => {
    const header = Object.fromEntries(
      Object.entries(places).map(([name, offsets]) => [
        name,
        { dtype: "F32", shape: [2], data_offsets: offsets },
      ]),
    );
    const text = new TextEncoder().encode(JSON.stringify(header));
    const bytes = new Uint8Array(8 + text.length + 20);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
    bytes.set(text, 8);
    await expect(readSafetensors(bytesSource(bytes))).rejects.toMatchObject({ code: "model-file-damaged" });
  });
});

const minimalPack = {
  schema: 1,
  kind: "language-model",
  name: "a",
  version: "1",
  licence: "x",
  architecture: "y",
  files: [],
  language: {
    vocabulary: 1,
    hidden: 1,
    layers: 1,
    context_length: 1,
    embed: "a",
    decoder: "a",
    tokenizer: "a",
    tokenizer_config: "a",
    stop_tokens: ["x"],
  },
};
