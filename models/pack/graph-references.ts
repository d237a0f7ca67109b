import { fromBinary } from "@bufbuild/protobuf";
import {
  ModelProtoSchema,
  TensorProto_DataLocation as DataLocation,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from "../onnx/onnx-proto.ts";
import { packDamaged } from "./pack-files.ts";

/** Bytes that a graph file may have; weights belong into files of their own. */
export const graphLimit = 64 * 1024 * 1024;

const depthLimit = 8;
const knownDomains: ReadonlySet<string> = new Set(["", "ai.onnx", "com.microsoft"]);
/** Operators that name files or libraries of their own, which no pack needs. */
const refusedOperators: ReadonlySet<string> = new Set(["EPContext", "PyOp"]);

/** Bits of an element, by ONNX's type number; absent: a type that has no fixed size. */
const elementBits: Readonly<Record<number, number>> = {
  1: 32,
  2: 8,
  3: 8,
  4: 16,
  5: 16,
  6: 32,
  7: 64,
  9: 8,
  10: 16,
  11: 64,
  12: 32,
  13: 64,
  16: 16,
  21: 4,
  22: 4,
};

/** @throws pack-damaged */
export function parseGraph(bytes: Uint8Array): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    throw packDamaged("a graph cannot be read", cause);
  }
}

/**
 * Checks everything a graph says about files: each external tensor must name one of `files` (plain paths with their
 * sizes, whose digests are checked) and lie inside it. @throws pack-damaged
 */
export function checkGraphReferences(model: ModelProto, files: ReadonlyMap<string, number>): void {
  const checker = new ReferenceChecker(files);
  if (model.graph !== undefined) checker.graph(model.graph, 0);
  for (const { initialization, algorithm } of model.trainingInfo) {
    if (initialization !== undefined) checker.graph(initialization, 0);
    if (algorithm !== undefined) checker.graph(algorithm, 0);
  }
  for (const { node } of model.functions) checker.nodes(node, 0);
}

class ReferenceChecker {
  readonly #files: ReadonlyMap<string, number>;

  constructor(files: ReadonlyMap<string, number>) {
    this.#files = files;
  }

  graph(graph: GraphProto, depth: number): void {
    if (depth > depthLimit) throw packDamaged("a graph is nested too deeply");
    for (const tensor of graph.initializer) this.#tensor(tensor);
    for (const { values, indices } of graph.sparseInitializer) {
      if (values !== undefined) this.#tensor(values);
      if (indices !== undefined) this.#tensor(indices);
    }
    this.nodes(graph.node, depth);
  }

  nodes(nodes: readonly NodeProto[], depth: number): void {
    for (const node of nodes) {
      if (!knownDomains.has(node.domain) || refusedOperators.has(node.opType)) {
        throw packDamaged("a graph uses an operator that packs may not use");
      }
      for (const attribute of node.attribute) {
        if (attribute.t !== undefined) this.#tensor(attribute.t);
        for (const tensor of attribute.tensors) this.#tensor(tensor);
        for (const sparse of [attribute.sparseTensor, ...attribute.sparseTensors]) {
          if (sparse?.values !== undefined) this.#tensor(sparse.values);
          if (sparse?.indices !== undefined) this.#tensor(sparse.indices);
        }
        if (attribute.g !== undefined) this.graph(attribute.g, depth + 1);
        for (const graph of attribute.graphs) this.graph(graph, depth + 1);
      }
    }
  }

  #tensor(tensor: TensorProto): void {
    if (tensor.dataLocation !== DataLocation.EXTERNAL) {
      // ONNX Runtime looks at the location alone, other readers at the entries: they must agree.
      if (tensor.externalData.length > 0) throw packDamaged("a tensor says twice where it lies");
      return;
    }
    const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
    if (entries.size !== tensor.externalData.length) throw packDamaged("a tensor says twice where it lies");
    const size = this.#files.get(entries.get("location") ?? "");
    if (size === undefined) throw packDamaged("a graph refers to a file that is not in the pack");
    const offset = decimal(entries.get("offset") ?? "0");
    const length = decimal(entries.get("length") ?? "");
    if (offset + length > size) throw packDamaged("a graph refers to data beyond the end of a file");
    const bytes = tensorBytes(tensor);
    if (bytes === null || bytes !== length) throw packDamaged("a tensor's data do not fit its shape");
  }
}

function decimal(text: string): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(number)) throw packDamaged("a graph gives a position that is no number");
  return number;
}

function tensorBytes({ dims, dataType }: TensorProto): number | null {
  const bits = elementBits[dataType];
  if (bits === undefined) return null;
  let values = 1;
  for (const dimension of dims) {
    values *= Number(dimension);
    if (dimension < 0n || !Number.isSafeInteger(values)) return null;
  }
  return Math.ceil((values * bits) / 8);
}
