import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { copyFolder, emptied, importHostile, importPlaces } from "./import-places.ts";
import { ggufPlaces, type GgufPlaces } from "./gguf-layout.ts";
import { octets, text, type CaseKind, type CaseSources } from "./model-cases.ts";
import { mutateJson, pick, type Random } from "./mutations.ts";

/** Headers that read well and lie: overlaps, places beyond the end, sizes that disagree, files that share tensors. */
export async function layoutKinds(sources: CaseSources): Promise<CaseKind[]> {
  return [await ggufLayoutKind(sources), await safetensorsLayoutKind(sources), await shardsKind(sources)];
}

async function ggufLayoutKind(sources: CaseSources): Promise<CaseKind> {
  const places = await importPlaces(sources, "gguf-layout", "model.gguf");
  const names = ["llama-factors", "llama-yarn", "phi3-longrope", "qwen2", "qwen3"];
  const files = [sources.gguf, ...names.map((name) => path.join(sources.fixtures, `gguf/${name}.gguf`))];
  const all = await Promise.all(
    files.map(async (file) => {
      const bytes = new Uint8Array(await readFile(file));
      return { bytes, at: ggufPlaces(bytes) };
    }),
  );
  return {
    name: "GGUF layout",
    root: places.root,
    async run(random) {
      const { bytes, at } = pick(random, all);
      const copy = new Uint8Array(bytes);
      for (let i = Math.floor(random() * 2); i >= 0; i--) lieInGguf(copy, at, random);
      await writeFile(places.source, copy);
      await importHostile(places);
    },
    restore: () => emptied(places),
  };
}

function lieInGguf(
  bytes: Uint8Array,
  { alignment, dataStart, tensors, types, lengths }: GgufPlaces,
  random: Random,
) {
  const view = new DataView(bytes.buffer);
  const tensor = pick(random, tensors);
  const put = (at: number, value: bigint) => view.setBigUint64(at, value & (2n ** 64n - 1n), true);
  const dataBytes = BigInt(bytes.length - dataStart);
  switch (Math.floor(random() * 7)) {
    case 0:
      // On top of another tensor.
      put(tensor.offset, view.getBigUint64(pick(random, tensors).offset, true));
      return;
    case 1: {
      const step = BigInt(alignment);
      put(tensor.offset, pick(random, [dataBytes, dataBytes - step, -step, 2n ** 63n, 2n ** 53n, 1n, step]));
      return;
    }
    case 2: {
      const at = pick(random, tensor.dimensions);
      const length = view.getBigUint64(at, true);
      put(
        at,
        pick(random, [length * 2n, length / 2n, length + 1n, 0n, 2n ** 32n, 2n ** 53n, 2n ** 64n - 1n]),
      );
      return;
    }
    case 3:
      view.setUint32(
        tensor.type,
        pick(random, [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 14, 30, 39, 99, 2 ** 32 - 1]),
        true,
      );
      return;
    case 4:
      view.setUint32(tensor.rank, pick(random, [0, 1, 2, 3, 4, 5, 2 ** 31]), true);
      return;
    case 5:
      view.setUint32(pick(random, types), Math.floor(random() * 14), true);
      return;
    default:
      put(
        pick(random, lengths),
        pick(random, [0n, 1n, BigInt(bytes.length), 2n ** 24n, 2n ** 40n, 2n ** 64n - 1n]),
      );
  }
}

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: number[];
}

async function safetensorsLayoutKind(sources: CaseSources): Promise<CaseKind> {
  const places = await importPlaces(sources, "safetensors-layout", "checkpoint");
  await copyFolder(sources.checkpoint, places.source);
  const file = path.join(places.source, "model.safetensors");
  const { header, data } = split(new Uint8Array(await readFile(file)));
  return {
    name: "safetensors layout",
    root: places.root,
    async run(random) {
      const changed = JSON.parse(header) as Record<string, Entry>;
      delete changed["__metadata__"];
      for (let i = Math.floor(random() * 2); i >= 0; i--) lieInSafetensors(changed, data.length, random);
      // Data may be cut or grow with what the header says, so that the sum of sizes holds again.
      const sum = Math.max(...Object.values(changed).map(({ data_offsets: [, end = 0] }) => end));
      const fitted = random() < 0.3 && sum > 0 && sum < 4 * data.length ? new Uint8Array(sum) : data;
      if (fitted !== data) fitted.set(data.subarray(0, fitted.length));
      await writeFile(file, joined(JSON.stringify(changed), fitted));
      await importHostile(places);
    },
    restore: () => emptied(places),
  };
}

function lieInSafetensors(header: Record<string, Entry>, dataBytes: number, random: Random): void {
  const names = Object.keys(header);
  const name = pick(random, names);
  const entry = header[name] as Entry;
  const other = header[pick(random, names)] as Entry;
  const [start = 0, end = 0] = entry.data_offsets;
  switch (Math.floor(random() * 8)) {
    case 0:
      entry.data_offsets = [...other.data_offsets];
      return;
    case 1:
      entry.data_offsets = [start + dataBytes, end + dataBytes];
      return;
    case 2:
      entry.data_offsets = pick(random, [
        [end, start],
        [start, end - 4],
        [start - 4, end],
        [start, start],
      ]);
      return;
    case 3:
      entry.shape = pick(random, [
        entry.shape.toReversed(),
        [entry.shape.reduce((a, b) => a * b, 1)],
        [...entry.shape, 1],
        entry.shape.map((length) => length * 2),
        [2 ** 27, 2 ** 27],
        [0],
        [],
      ]);
      return;
    case 4:
      entry.dtype = pick(random, ["F32", "F16", "BF16", "F64", "I64", "U8", "F8_E4M3", "F4", "constructor"]);
      return;
    case 5:
      entry.data_offsets = pick(random, [
        [2 ** 53, 2 ** 53 + 4],
        [-4, 0],
        [0.5, 4.5],
        [0, 2 ** 60],
      ]);
      return;
    case 6:
      delete header[name];
      return;
    default:
      header[pick(random, ["__proto__x", "", "model.layers.99.mlp.up_proj.weight", "lm_head.weight"])] = {
        ...entry,
      };
  }
}

/** A checkpoint in two files with their index; tensors doubled, swapped between files, and files that are not there. */
async function shardsKind(sources: CaseSources): Promise<CaseKind> {
  const places = await importPlaces(sources, "shards", "checkpoint");
  await copyFolder(sources.checkpoint, places.source);
  const whole = split(new Uint8Array(await readFile(path.join(places.source, "model.safetensors"))));
  const entries = Object.entries(JSON.parse(whole.header) as Record<string, Entry>).filter(
    ([name]) => name !== "__metadata__",
  );
  const files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
  const half = Math.ceil(entries.length / 2);
  const index = {
    metadata: {},
    weight_map: Object.fromEntries(entries.map(([name], i) => [name, files[i < half ? 0 : 1] as string])),
  };
  return {
    name: "shards",
    root: places.root,
    async run(random) {
      const parts = [entries.slice(0, half), entries.slice(half)];
      if (random() < 0.3) parts[1]?.push(pick(random, entries));
      if (random() < 0.2) parts[0]?.splice(Math.floor(random() * half), 1);
      for (const [i, file] of files.entries()) {
        await writeFile(path.join(places.source, file), shardOf(parts[i] ?? [], whole.data));
      }
      const written = random() < 0.6 ? mutateJson(JSON.stringify(index), random) : JSON.stringify(index);
      await writeFile(path.join(places.source, "model.safetensors.index.json"), written);
      await importHostile(places);
    },
    restore: () => emptied(places),
  };
}

function shardOf(entries: readonly (readonly [string, Entry])[], data: Uint8Array): Uint8Array {
  const header: Record<string, Entry> = {};
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const [name, { dtype, shape, data_offsets: offsets }] of entries) {
    const part = data.subarray(offsets[0], offsets[1]);
    header[name] = { dtype, shape, data_offsets: [at, at + part.length] };
    parts.push(part);
    at += part.length;
  }
  return joined(JSON.stringify(header), Buffer.concat(parts));
}

function split(bytes: Uint8Array): { header: string; data: Uint8Array } {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  return { header: text(bytes.subarray(8, 8 + length)), data: bytes.subarray(8 + length) };
}

function joined(header: string, data: Uint8Array): Uint8Array {
  const head = octets(header);
  const size = new Uint8Array(8);
  new DataView(size.buffer).setBigUint64(0, BigInt(head.length), true);
  return Buffer.concat([size, head, data]);
}
