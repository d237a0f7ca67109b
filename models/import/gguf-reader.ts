import { appError } from "../../core/errors.ts";
import type { ByteSource } from "./byte-source.ts";
import { ggufType, type GgufType } from "./gguf-dequantise.ts";
import { GgufCursor, ggufDamaged, ggufLimits, type GgufValue } from "./gguf-header.ts";
import { rowCount, rowLength, type RowRange, type TensorInfo, type TensorSource } from "./tensor-source.ts";

/** A GGUF file (specification: ggml/docs/gguf.md, version 3; version 2 has the same layout). */
export interface GgufFile extends TensorSource {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
}

interface GgufTensor extends TensorInfo {
  readonly ggufType: GgufType;
}

const magic = 0x46554747;
const dimensionsLimit = 4;

/**
 * Reads the header of a GGUF file and checks every declared size and offset against the file before any is used.
 * Errors: `model-file-damaged`, `not-supported` (version, byte order or weight type).
 */
export async function readGguf(source: ByteSource): Promise<GgufFile> {
  const cursor = new GgufCursor(source);
  if (source.size < 24 || (await cursor.uint32()) !== magic) {
    throw appError("model-file-damaged", "The file is not a GGUF model file.");
  }
  const version = await cursor.uint32();
  if (version !== 2 && version !== 3) {
    throw appError(
      "not-supported",
      "The GGUF file has a version or byte order that cannot be read (2 and 3 can).",
    );
  }
  const tensorTotal = await cursor.size("the number of tensors");
  const entryTotal = await cursor.size("the number of metadata entries");
  if (tensorTotal > ggufLimits.tensors || entryTotal > ggufLimits.metadataEntries) {
    throw ggufDamaged("it declares more entries than it can have");
  }

  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < entryTotal; i++) {
    const key = await cursor.string(ggufLimits.keyBytes);
    if (metadata.has(key)) throw ggufDamaged("a metadata key appears twice");
    metadata.set(key, await cursor.value(await cursor.uint32()));
  }

  const declared: DeclaredTensor[] = [];
  for (let i = 0; i < tensorTotal; i++) declared.push(await readTensor(cursor));
  const alignment = readAlignment(metadata);
  const dataStart = Math.ceil(cursor.position / alignment) * alignment;
  const tensors = placeTensors(declared, { alignment, dataStart, fileSize: source.size });

  return {
    version,
    metadata,
    tensors,
    readRows: (name, rows) => readRows(source, tensors.get(name), rows),
    close: () => source.close(),
  };
}

interface DeclaredTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: GgufType;
  readonly offset: number;
  readonly bytes: number;
}

async function readTensor(cursor: GgufCursor): Promise<DeclaredTensor> {
  const name = await cursor.string(ggufLimits.keyBytes);
  const dimensions = await cursor.uint32();
  if (dimensions < 1 || dimensions > dimensionsLimit) throw ggufDamaged("a tensor has an impossible rank");
  const reversed: number[] = [];
  let values = 1;
  for (let i = 0; i < dimensions; i++) {
    const length = await cursor.size("a tensor dimension");
    values *= length;
    if (length === 0 || !Number.isSafeInteger(values)) throw ggufDamaged("a tensor has an impossible shape");
    reversed.push(length);
  }
  const type = ggufType(await cursor.uint32());
  if ((reversed[0] as number) % type.blockValues !== 0) {
    throw ggufDamaged("a row of a tensor does not hold whole blocks");
  }
  const bytes = (values / type.blockValues) * type.blockBytes;
  if (!Number.isSafeInteger(bytes)) throw ggufDamaged("a tensor has an impossible size");
  return { name, shape: reversed.toReversed(), type, offset: await cursor.size("a tensor offset"), bytes };
}

function readAlignment(metadata: ReadonlyMap<string, GgufValue>): number {
  const alignment = metadata.get("general.alignment") ?? 32;
  const usable =
    typeof alignment === "number" && alignment >= 8 && alignment <= 1 << 20 && Math.log2(alignment) % 1 === 0;
  if (!usable) throw ggufDamaged("its alignment is not a power of two");
  return alignment;
}

interface DataSection {
  readonly alignment: number;
  readonly dataStart: number;
  readonly fileSize: number;
}

function placeTensors(declared: readonly DeclaredTensor[], section: DataSection): Map<string, GgufTensor> {
  const tensors = new Map<string, GgufTensor>();
  for (const { name, shape, type, offset, bytes } of declared) {
    if (tensors.has(name)) throw ggufDamaged("a tensor name appears twice");
    if (offset % section.alignment !== 0) throw ggufDamaged("a tensor is not aligned");
    const start = section.dataStart + offset;
    if (!Number.isSafeInteger(start) || start > section.fileSize || bytes > section.fileSize - start) {
      throw ggufDamaged("a tensor lies beyond the end of the file");
    }
    tensors.set(name, { name, shape, type: type.name, ggufType: type, offset: start, bytes });
  }
  refuseOverlap([...tensors.values()]);
  return tensors;
}

/** Two tensors over the same bytes are a sign of a forged file; formats without sharing refuse it. */
export function refuseOverlap(tensors: readonly TensorInfo[]): void {
  const sorted = tensors.toSorted((a, b) => a.offset - b.offset || a.bytes - b.bytes);
  let end = 0;
  for (const tensor of sorted) {
    if (tensor.offset < end)
      throw appError("model-file-damaged", "The model file is damaged: two tensors overlap.");
    end = tensor.offset + tensor.bytes;
  }
}

async function readRows(
  source: ByteSource,
  tensor: GgufTensor | undefined,
  rows: RowRange,
): Promise<Float32Array> {
  if (tensor === undefined)
    throw appError("model-file-damaged", "The model file lacks a tensor that was asked for.");
  checkRows(tensor, rows);
  const length = rowLength(tensor);
  const rowBytes = (length / tensor.ggufType.blockValues) * tensor.ggufType.blockBytes;
  const blocks = await source.read(tensor.offset + rows.first * rowBytes, rows.count * rowBytes);
  const values = new Float32Array(rows.count * length);
  tensor.ggufType.dequantise(blocks, values);
  return values;
}

export function checkRows(tensor: TensorInfo, rows: RowRange): void {
  const total = rowCount(tensor);
  if (rows.first < 0 || rows.count < 0 || rows.first + rows.count > total) {
    throw appError("model-file-damaged", "A tensor of the model file has fewer rows than its use needs.");
  }
}
