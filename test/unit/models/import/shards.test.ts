import { cp, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { checkedPack, fixtures, runImport, temporaryFolder } from "./imported-language.ts";

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

/** Tensors as a safetensors file of their own. */
function shard(tensors: readonly (readonly [string, Entry, Uint8Array])[]): Uint8Array {
  let at = 0;
  const header: Record<string, unknown> = {};
  for (const [name, { dtype, shape }, bytes] of tensors) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] };
    at += bytes.length;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(text.length), true);
  return Buffer.concat([length, text, ...tensors.map(([, , bytes]) => bytes)]);
}

/** The tiny model in three files with their index; `names` changes which file the index names. */
async function sharded(names: (file: string) => string): Promise<string> {
  const source = path.join(folder.path, "sharded");
  await cp(path.join(fixtures, "tiny-llama"), source, { recursive: true });
  const whole = await readFile(path.join(source, "model.safetensors"));
  await rm(path.join(source, "model.safetensors"));
  const length = Number(whole.readBigUInt64LE(0));
  const header = JSON.parse(whole.subarray(8, 8 + length).toString()) as Record<string, Entry>;
  const tensors = Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, entry]) => {
      const [start, end] = entry.data_offsets;
      return [name, entry, new Uint8Array(whole.subarray(8 + length + start, 8 + length + end))] as const;
    });
  const weightMap: Record<string, string> = {};
  for (let part = 0; part < 3; part++) {
    const own = tensors.filter((_, index) => index % 3 === part);
    const file = `model-0000${part + 1}-of-00003.safetensors`;
    await writeFile(path.join(source, file), shard(own));
    for (const [name] of own) weightMap[name] = names(file);
  }
  const index = { metadata: {}, weight_map: weightMap };
  await writeFile(path.join(source, "model.safetensors.index.json"), JSON.stringify(index));
  return source;
}

it("a checkpoint in several files gives the pack that one file gives", async () => {
  const input = { targetFolder: path.join(folder.path, "packs") };
  const several = await runImport({ ...input, source: await sharded((file) => file), name: "several" });
  const one = await runImport({ ...input, source: path.join(fixtures, "tiny-llama"), name: "one" });
  const [a, b] = [await checkedPack(several), await checkedPack(one)];
  expect(a.opened.pack.files).toEqual(b.opened.pack.files);
});

it.each([
  ["a file outside the folder", (file: string) => `../${file}`, "model-file-damaged"],
  ["a file that is not there", (file: string) => file.replace("00003", "00004"), "file-not-found"],
])("an index that names %s is refused", async (_, names, code) => {
  const source = await sharded(names);
  const input = { source, targetFolder: path.join(folder.path, "packs"), name: "tiny" };
  await expect(runImport(input)).rejects.toMatchObject({ code });
});

it("a checkpoint that is quantised already is refused by name", async () => {
  const source = path.join(folder.path, "quantised");
  await cp(path.join(fixtures, "tiny-llama"), source, { recursive: true });
  const config = JSON.parse(await readFile(path.join(source, "config.json"), "utf8")) as object;
  const quantised = { ...config, quantization_config: { quant_method: "gptq", bits: 4 } };
  await writeFile(path.join(source, "config.json"), JSON.stringify(quantised));
  const input = { source, targetFolder: path.join(folder.path, "packs"), name: "tiny" };
  await expect(runImport(input)).rejects.toMatchObject({ code: "architecture-not-supported" });
});
