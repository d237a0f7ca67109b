import * as v from "valibot";
import { appError } from "../../core/errors.ts";
import type { ByteSource } from "./byte-source.ts";
import { fromBF16, fromF16, fromF32 } from "./gguf-dequantise.ts";
import { checkRows } from "./gguf-reader.ts";
import { rowLength, type RowRange, type TensorInfo, type TensorSource } from "./tensor-source.ts";

export interface SafetensorsFile extends TensorSource {
  readonly metadata: ReadonlyMap<string, string>;
}

/** The format's own bound (safetensors README): a longer header is a forged one. */
const headerLimit = 100_000_000;
const tensorLimit = 1_000_000;

const elementBytes: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
};

const readers: Readonly<Record<string, (bytes: Uint8Array, out: Float32Array) => void>> = {
  F32: fromF32,
  F16: fromF16,
  BF16: fromBF16,
};

const sizeSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const entrySchema = v.object({
  dtype: v.string(),
  shape: v.pipe(v.array(sizeSchema), v.maxLength(8)),
  data_offsets: v.tuple([sizeSchema, sizeSchema]),
});
const metadataSchema = v.record(v.string(), v.string());

function damaged(what: string, cause?: unknown): Error {
  return appError("model-file-damaged", `The safetensors file is damaged: ${what}.`, cause);
}

/**
 * Reads the header of a safetensors file; sizes, order and coverage are checked as the format demands: every byte of
 * the data belongs to exactly one tensor. Errors: `model-file-damaged`.
 */
export async function readSafetensors(source: ByteSource): Promise<SafetensorsFile> {
  if (source.size < 10) throw damaged("it is too short");
  const lengthBytes = await source.read(0, 8);
  const declared = new DataView(lengthBytes.buffer, lengthBytes.byteOffset).getBigUint64(0, true);
  if (declared > BigInt(headerLimit) || Number(declared) > source.size - 8)
    throw damaged("its header is too long");
  const header = parseHeader(await source.read(8, Number(declared)));
  const dataStart = 8 + Number(declared);

  const tensors = new Map<string, TensorInfo>();
  let metadata: ReadonlyMap<string, string> = new Map();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") metadata = parseMetadata(entry);
    else tensors.set(name, placeTensor(name, entry, dataStart));
    if (tensors.size > tensorLimit) throw damaged("it declares more tensors than it can have");
  }
  refuseGaps([...tensors.values()], dataStart, source.size);

  return {
    tensors,
    metadata,
    readRows: (name, rows) => readRows(source, tensors.get(name), rows),
    close: () => source.close(),
  };
}

function parseHeader(bytes: Uint8Array): object {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw damaged("its header is not JSON", cause);
  }
  if (typeof header !== "object" || header === null || Array.isArray(header))
    throw damaged("its header is no object");
  return header;
}

function parseMetadata(entry: unknown): ReadonlyMap<string, string> {
  const parsed = v.safeParse(metadataSchema, entry);
  if (!parsed.success) throw damaged("its metadata is not text");
  return new Map(Object.entries(parsed.output));
}

function placeTensor(name: string, entry: unknown, dataStart: number): TensorInfo {
  const parsed = v.safeParse(entrySchema, entry);
  if (!parsed.success) throw damaged("a tensor entry has a wrong form");
  const { dtype, shape, data_offsets: offsets } = parsed.output;
  const size = elementBytes[dtype];
  if (size === undefined || !Object.hasOwn(elementBytes, dtype))
    throw damaged("a tensor has an unknown type");
  const bytes = shape.reduce((product, dimension) => product * dimension, size);
  if (!Number.isSafeInteger(bytes) || offsets[1] - offsets[0] !== bytes) {
    throw damaged("a tensor's size does not fit its shape");
  }
  return { name, shape, type: dtype, offset: dataStart + offsets[0], bytes };
}

function refuseGaps(tensors: readonly TensorInfo[], dataStart: number, fileSize: number): void {
  let end = dataStart;
  for (const tensor of tensors.toSorted((a, b) => a.offset - b.offset || a.bytes - b.bytes)) {
    if (tensor.offset < end) throw damaged("two tensors overlap");
    if (tensor.offset > end) throw damaged("bytes between its tensors belong to none");
    end += tensor.bytes;
    if (end > fileSize) throw damaged("a tensor lies beyond the end of the file");
  }
  if (end !== fileSize) throw damaged("bytes after its tensors belong to none");
}

async function readRows(
  source: ByteSource,
  tensor: TensorInfo | undefined,
  rows: RowRange,
): Promise<Float32Array> {
  if (tensor === undefined)
    throw appError("model-file-damaged", "The model file lacks a tensor that was asked for.");
  const convert = readers[tensor.type];
  if (convert === undefined) {
    throw appError("not-supported", `Weights of type ${tensor.type} cannot be read; F32, F16 and BF16 can.`);
  }
  checkRows(tensor, rows);
  const length = rowLength(tensor);
  const rowBytes = length * (elementBytes[tensor.type] as number);
  const values = new Float32Array(rows.count * length);
  convert(await source.read(tensor.offset + rows.first * rowBytes, rows.count * rowBytes), values);
  return values;
}
