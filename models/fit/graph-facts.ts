import { type FileHandle, open } from "node:fs/promises";
import { fromBinary } from "@bufbuild/protobuf";
import {
  type NodeProto,
  NodeProtoSchema,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "../onnx/onnx-proto.ts";

/** What a graph says of the memory it will take. */
export interface GraphFacts {
  /** Keys and values of one token, all layers. */
  readonly cacheTokenBytes: number;
  /** Weights as the kernels lay them out anew. */
  readonly packedBytes: number;
  /** Matrices of 16 bits as they lie in the pack: a card takes them so, the processor computes with float32. */
  readonly halfBytes: number;
}

/** Fields of onnx.proto: ModelProto.graph, GraphProto.node and .input. */
const graphField = 7;
const nodeField = 1;
const tensorField = 5;
const inputField = 11;
/** An entry that is larger holds weights. */
const entryLimit = 64 * 1024;

export const noFacts: GraphFacts = { cacheTokenBytes: 0, packedBytes: 0, halfBytes: 0 };

/**
 * Reads inputs and matrix products of an ONNX file past its weights, which may be gigabytes. A file that is no graph
 * gives zeros: that is found and said where it is loaded.
 */
export async function readGraphFacts(path: string): Promise<GraphFacts> {
  const handle = await open(path, "r");
  try {
    const { size } = await handle.stat();
    return await factsOf(new FileWindow(handle, size), size);
  } catch {
    return noFacts;
  } finally {
    await handle.close();
  }
}

async function factsOf(file: FileWindow, size: number): Promise<GraphFacts> {
  let cacheTokenBytes = 0;
  let packedBytes = 0;
  const halves = new Map<string, number>();
  const multiplied = new Set<string>();
  for await (const graph of entries(file, 0, size)) {
    if (graph.field !== graphField) continue;
    for await (const { field, start, end } of entries(file, graph.start, graph.end)) {
      if (end - start > entryLimit) continue;
      if (field === inputField) {
        cacheTokenBytes += tokenBytes(fromBinary(ValueInfoProtoSchema, await file.read(start, end)));
      } else if (field === nodeField) {
        const node = fromBinary(NodeProtoSchema, await file.read(start, end));
        packedBytes += packedSize(node);
        if (node.opType === "MatMul" || node.opType === "Transpose")
          for (const name of node.input) multiplied.add(name);
      } else if (field === tensorField) {
        const { name, dataType, dims } = fromBinary(TensorProtoSchema, await file.read(start, end));
        const values = dims.reduce((product, side) => product * Number(side), 1);
        if (dataType === DataType.FLOAT16 && Number.isSafeInteger(values)) halves.set(name, 2 * values);
      }
    }
  }
  const halfBytes = [...halves].reduce((sum, [name, bytes]) => sum + (multiplied.has(name) ? bytes : 0), 0);
  return { cacheTokenBytes, packedBytes, halfBytes };
}

interface Entry {
  readonly field: number;
  readonly start: number;
  readonly end: number;
}

/** The length-delimited fields between two places of a file (Protocol Buffers, "Encoding"). */
async function* entries(file: FileWindow, from: number, to: number): AsyncGenerator<Entry, void, void> {
  for (let at = from; at < to;) {
    const tag = await file.varint(at);
    const field = Math.floor(tag.value / 8);
    const wireType = tag.value % 8;
    if (wireType === 2) {
      const length = await file.varint(tag.end);
      const end = length.end + length.value;
      if (end > to) throw new Error("an entry goes beyond its message");
      yield { field, start: length.end, end };
      at = end;
    } else if (wireType === 0) at = (await file.varint(tag.end)).end;
    else if (wireType === 1 || wireType === 5) at = tag.end + (wireType === 1 ? 8 : 4);
    else throw new Error("not a message");
  }
}

/** Bytes of an element, by ONNX's type number: what caches are made of. */
const elementBytes: Readonly<Record<number, number>> = { 1: 4, 2: 1, 3: 1, 10: 2, 16: 2 };

/** [batch, heads, capacity, head size]; the sizes that are open are those that grow. */
function tokenBytes({ name, type }: ValueInfoProto): number {
  if (!/^past_(?:key|value)/.test(name) || type?.value.case !== "tensorType") return 0;
  const { elemType, shape } = type.value.value;
  const fixed = (shape?.dim ?? []).map(({ value }) => (value.case === "dimValue" ? Number(value.value) : 1));
  return fixed.reduce((product, size) => product * Math.max(1, size), elementBytes[elemType] ?? 4);
}

/** MatMulNBits keeps its matrix in an order of its own, and two float32 for each block: scale and sum. */
function packedSize({ opType, attribute }: NodeProto): number {
  if (opType !== "MatMulNBits") return 0;
  const of = (name: string) => Number(attribute.find((one) => one.name === name)?.i ?? 0n);
  const values = of("N") * of("K");
  const size = (values * (of("bits") || 4)) / 8 + (8 * values) / (of("block_size") || 32);
  return Number.isSafeInteger(Math.ceil(size)) && size > 0 ? Math.ceil(size) : 0;
}

const windowBytes = 256 * 1024;

/** A file through a window that moves on. */
class FileWindow {
  readonly #handle: FileHandle;
  readonly #size: number;
  readonly #buffer = new Uint8Array(windowBytes);
  #from = 0;
  #to = 0;

  constructor(handle: FileHandle, size: number) {
    this.#handle = handle;
    this.#size = size;
  }

  /** At most `entryLimit` bytes. */
  async read(start: number, end: number): Promise<Uint8Array> {
    if (start < this.#from || end > this.#to) {
      const { bytesRead } = await this.#handle.read(this.#buffer, 0, windowBytes, start);
      this.#from = start;
      this.#to = start + bytesRead;
      if (end > this.#to) throw new Error("the file ends in the middle");
    }
    return this.#buffer.subarray(start - this.#from, end - this.#from);
  }

  async varint(at: number): Promise<{ value: number; end: number }> {
    const bytes = await this.read(at, Math.min(at + 10, this.#size));
    let value = 0;
    for (const [index, byte] of bytes.entries()) {
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) break;
        return { value, end: at + index + 1 };
      }
    }
    throw new Error("not a number");
  }
}
