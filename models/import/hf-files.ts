import { readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import * as v from "valibot";
import { AppError, appError } from "../../core/errors.ts";
import { openByteSource } from "./byte-source.ts";
import { placedTensors, type TensorPlace } from "./renamed-tensors.ts";
import { readSafetensors, type SafetensorsFile } from "./safetensors-reader.ts";
import type { TensorSource } from "./tensor-source.ts";

const jsonLimit = 128 * 1024 * 1024;
const shardLimit = 1024;

/** A settings file of a model folder. @throws file-not-found, model-file-damaged */
export async function readJson(folder: string, name: string): Promise<object> {
  const text = await readText(join(folder, name)).catch((cause: unknown) => {
    if (cause instanceof AppError) throw cause;
    throw appError("file-not-found", `The model folder lacks ${name}.`, cause);
  });
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch (cause) {
    throw appError("model-file-damaged", `${name} is not JSON.`, cause);
  }
  throw appError("model-file-damaged", `${name} is not a JSON object.`);
}

/** The same, or null where the folder has no such file. */
export async function readOptionalJson(folder: string, name: string): Promise<object | null> {
  return readJson(folder, name).catch((thrown: unknown) => {
    if (thrown instanceof AppError && thrown.code === "file-not-found") return null;
    throw thrown;
  });
}

export async function readOptionalText(folder: string, name: string): Promise<string | null> {
  return readText(join(folder, name)).catch((thrown: unknown) => {
    if (thrown instanceof AppError) throw thrown;
    return null;
  });
}

async function readText(path: string): Promise<string> {
  const info = await stat(path);
  if (!info.isFile() || info.size > jsonLimit)
    throw appError("model-file-damaged", "A settings file of the model is larger than it can be.");
  return readFile(path, "utf8");
}

const indexSchema = v.object({ weight_map: v.record(v.string(), v.string()) });

/** All tensors of a folder: one safetensors file, or several with their index. @throws file-not-found, model-file-damaged */
export async function openShards(folder: string): Promise<TensorSource> {
  const index = await readOptionalJson(folder, "model.safetensors.index.json");
  const names = index === null ? ["model.safetensors"] : shardNames(index);
  const shards: SafetensorsFile[] = [];
  try {
    for (const name of names) {
      shards.push(await openSafetensors(join(folder, name), `The model folder lacks ${basename(name)}.`));
    }
    return joinShards(shards);
  } catch (thrown) {
    for (const shard of shards) await shard.close();
    throw thrown;
  }
}

const noPickles =
  "Weights in PyTorch's own format (.bin, .pt) are not read, because such files can hold programs: save them as safetensors first.";

/** `lacks` says what is missing where there is no such file. @throws file-not-found, model-file-damaged */
export async function openSafetensors(path: string, lacks: string): Promise<SafetensorsFile> {
  const source = await openByteSource(path).catch((cause: unknown) => {
    if (!(cause instanceof AppError) || cause.code !== "file-not-found") throw cause;
    throw appError("file-not-found", `${lacks} ${noPickles}`, cause);
  });
  try {
    return await readSafetensors(source);
  } catch (thrown) {
    await source.close();
    throw thrown;
  }
}

function shardNames(index: object): string[] {
  const parsed = v.safeParse(indexSchema, index);
  if (!parsed.success) {
    throw appError("model-file-damaged", "The index of the safetensors files is damaged.");
  }
  const names = [...new Set(Object.values(parsed.output.weight_map))].toSorted();
  if (names.length > shardLimit || !names.every((name) => /^[\w.-]+\.safetensors$/.test(name))) {
    throw appError(
      "model-file-damaged",
      "The index of the safetensors files names files outside the folder.",
    );
  }
  return names;
}

function joinShards(shards: readonly SafetensorsFile[]): TensorSource {
  const places = new Map<string, TensorPlace>();
  for (const source of shards) {
    for (const [name, info] of source.tensors) {
      if (places.has(name))
        throw appError("model-file-damaged", "Two files of the model hold the same tensor.");
      places.set(name, { source, info });
    }
  }
  return placedTensors(places, async () => {
    for (const shard of shards) await shard.close();
  });
}
