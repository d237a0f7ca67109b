import { join } from "node:path";
import { appError } from "../../core/errors.ts";
import { openSafetensors, readJson } from "./hf-files.ts";
import { adapterScale, adapterSettings, isTarget, type AdapterSettings } from "./lora-settings.ts";
import type { SafetensorsFile } from "./safetensors-reader.ts";
import { rowCount, rowLength, type TensorInfo, type TensorSource } from "./tensor-source.ts";

/** Values of the small matrices that are held at a time: every one is far smaller than a matrix of the model. */
const heldValues = 64 * 1024 * 1024;

/** What an adapter makes of the model's tensors, by their names. */
interface Changes {
  readonly products: ReadonlyMap<string, Product>;
  /** Token matrices that PEFT keeps whole beside an adapter of theirs: they stand for the model's own. */
  readonly whole: ReadonlyMap<string, TensorInfo>;
}

/** A change of one matrix: scale × B·A, with A [rank, columns] and B [rows, rank]. */
interface Product {
  readonly scale: number;
  readonly a: TensorInfo;
  readonly b: TensorInfo;
}

/**
 * The same tensors with a LoRA adapter (arXiv 2106.09685) merged into them row by row as they are read: W + scale·B·A.
 * `folder` holds adapter_config.json and adapter_model.safetensors as PEFT writes them. Only the language model's linear
 * layers can be changed. @throws file-not-found, model-file-damaged, architecture-not-supported
 */
export async function withAdapter(
  source: TensorSource,
  folder: string,
  { tiedEmbedding }: { readonly tiedEmbedding: boolean },
): Promise<TensorSource> {
  const settings = adapterSettings(await readJson(folder, "adapter_config.json"));
  const lacks = "The adapter's folder lacks adapter_model.safetensors.";
  const file = await openSafetensors(join(folder, "adapter_model.safetensors"), lacks);
  try {
    const changes = changesOf(file, source, settings);
    const changesHead = changes.products.has("lm_head.weight") || changes.whole.has("lm_head.weight");
    if (tiedEmbedding && changesHead)
      throw appError(
        "architecture-not-supported",
        "The adapter cannot be merged: it changes the head, which this model shares with its token embedding.",
      );
    return mergedTensors(source, file, changes);
  } catch (thrown) {
    await file.close();
    throw thrown;
  }
}

function changesOf(file: SafetensorsFile, base: TensorSource, settings: AdapterSettings): Changes {
  const products = new Map<string, Product>();
  const whole = new Map<string, TensorInfo>();
  for (const [name, info] of file.tensors) {
    const [, kept] =
      /^(?:base_model\.model\.)?(.*\b(?:lm_head|embed_tokens))(?:\.base_layer)?\.weight$/.exec(name) ?? [];
    if (kept !== undefined) {
      const target = targetTensor(base, kept);
      if (!isSameShape(info, target)) throw misfit(target);
      whole.set(target.name, info);
      continue;
    }
    const [, path, side] = /^(?:base_model\.model\.)?(.+)\.lora_([AB])\.weight$/.exec(name) ?? [];
    if (path === undefined || !isTarget(settings, path))
      throw appError(
        "architecture-not-supported",
        `The adapter cannot be merged: nothing says what its tensor ${name.slice(0, 200)} changes.`,
      );
    if (side === "B" && file.tensors.has(name.replace(/B\.weight$/, "A.weight"))) continue;
    const a = file.tensors.get(name.replace(/[AB]\.weight$/, "A.weight"));
    const b = file.tensors.get(name.replace(/[AB]\.weight$/, "B.weight"));
    const target = targetTensor(base, path);
    if (a === undefined || b === undefined) throw halved(path);
    if (products.has(target.name)) throw appError("model-file-damaged", `The adapter changes ${path} twice.`);
    const product = { a, b, scale: adapterScale(settings, path, rowCount(a)) };
    if (!isFitting(product, target)) throw misfit(target);
    products.set(target.name, product);
  }
  if (products.size === 0) throw appError("model-file-damaged", "The adapter holds no matrices.");
  return { products, whole };
}

/**
 * The language model's tensors bear the same names in every kind of checkpoint here, whatever stands before them in the
 * model that the adapter was trained on.
 */
function targetTensor({ tensors }: TensorSource, path: string): TensorInfo {
  const own = tensors.get(`${path}.weight`);
  const inner = /(?:^|\.)(layers\.\d{1,4}\..+|embed_tokens|lm_head)$/.exec(path)?.[1];
  const outside = /vision|image|modalit|projector/i.test(path);
  const found =
    own ??
    (inner === undefined || outside
      ? undefined
      : tensors.get(inner === "lm_head" ? "lm_head.weight" : `model.${inner}.weight`));
  if (found !== undefined) return found;
  throw appError(
    "architecture-not-supported",
    `The adapter cannot be merged: it changes ${path.slice(0, 200)}, which is no linear layer of this language model.`,
  );
}

function isFitting({ a, b }: Product, target: TensorInfo): boolean {
  const flat = [target, a, b].every(({ shape }) => shape.length === 2);
  const inner = rowLength(a) === rowLength(target) && rowLength(b) === rowCount(a);
  return flat && inner && rowCount(b) === rowCount(target) && rowCount(a) * rowLength(a) <= heldValues;
}

function isSameShape(a: TensorInfo, b: TensorInfo): boolean {
  return a.shape.length === b.shape.length && a.shape.every((size, at) => size === b.shape[at]);
}

function misfit({ name }: TensorInfo): Error {
  return appError(
    "model-file-damaged",
    `The adapter's matrices do not fit the model's ${name.slice(0, 200)}. It was made for another model.`,
  );
}

function mergedTensors(
  source: TensorSource,
  file: SafetensorsFile,
  { products, whole }: Changes,
): TensorSource {
  // A matrix is read a few rows at a time, one matrix after the other.
  let held: { readonly name: string; readonly values: Float32Array } | null = null;
  const small = async ({ name, shape }: TensorInfo): Promise<Float32Array> => {
    if (held?.name !== name)
      held = { name, values: await file.readRows(name, { first: 0, count: shape[0] as number }) };
    return held.values;
  };
  return {
    tensors: source.tensors,
    async readRows(name, rows) {
      const kept = whole.get(name);
      const values = await (kept === undefined
        ? source.readRows(name, rows)
        : file.readRows(kept.name, rows));
      const product = products.get(name);
      if (product === undefined || rows.count === 0) return values;
      const { scale, b } = product;
      addProduct(values, {
        a: await small(product.a),
        b: await file.readRows(b.name, rows),
        scale,
        count: rows.count,
      });
      return values;
    },
    // Of the adapter alone: whoever opened the model closes it.
    close: () => file.close(),
  };
}

interface ProductRows {
  /** [rank, columns] */
  readonly a: Float32Array;
  /** [count, rank] */
  readonly b: Float32Array;
  readonly scale: number;
  readonly count: number;
}

/** values [count, columns] += scale × b·a, a row of a at a time, as they lie in memory. */
function addProduct(values: Float32Array, { a, b, scale, count }: ProductRows): void {
  const columns = values.length / count;
  const rank = a.length / columns;
  for (let row = 0; row < count; row++) {
    const out = values.subarray(row * columns, (row + 1) * columns);
    for (let k = 0; k < rank; k++) {
      const factor = scale * (b[row * rank + k] as number);
      const from = k * columns;
      for (let column = 0; column < columns; column++)
        out[column] = (out[column] as number) + factor * (a[from + column] as number);
    }
  }
}

function halved(path: string): Error {
  return appError(
    "model-file-damaged",
    `The adapter lacks one of the two matrices for ${path.slice(0, 200)}.`,
  );
}
