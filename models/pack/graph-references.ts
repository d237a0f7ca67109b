import { fromBinary } from "@bufbuild/protobuf";
import {
  ModelProtoSchema,
  TensorProto_DataLocation as DataLocation,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type SparseTensorProto,
  type TensorProto,
} from "../onnx/onnx-proto.ts";
import { packDamaged } from "./pack-files.ts";

/** Bytes that a graph file may have; weights belong into files of their own. */
export const graphLimit = 64 * 1024 * 1024;

/** The same of an export that is used as it is: they often hold their weights (protobuf ends at 2 GB). */
export const exportedGraphLimit = 2 ** 31 - 1;

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
  new TensorWalk((tensor) => checkTensor(tensor, files)).model(model);
}

/** Every file that a graph names, as it names it. @throws pack-damaged */
export function externalLocations(model: ModelProto): ReadonlySet<string> {
  const names = new Set<string>();
  new TensorWalk((tensor) => {
    if (tensor.dataLocation !== DataLocation.EXTERNAL) return;
    for (const { key, value } of tensor.externalData) if (key === "location") names.add(value);
  }).model(model);
  return names;
}

/** Calls `visit` with every tensor of a graph, its subgraphs and functions; refuses operators that packs may not use. */
class TensorWalk {
  readonly #visit: (tensor: TensorProto) => void;

  constructor(visit: (tensor: TensorProto) => void) {
    this.#visit = visit;
  }

  model(model: ModelProto): void {
    if (model.graph !== undefined) this.#graph(model.graph, 0);
    for (const { initialization, algorithm } of model.trainingInfo) {
      if (initialization !== undefined) this.#graph(initialization, 0);
      if (algorithm !== undefined) this.#graph(algorithm, 0);
    }
    for (const { node } of model.functions) this.#nodes(node, 0);
  }

  #graph(graph: GraphProto, depth: number): void {
    if (depth > depthLimit) throw packDamaged("a graph is nested too deeply");
    for (const tensor of graph.initializer) this.#visit(tensor);
    for (const sparse of graph.sparseInitializer) this.#sparse(sparse);
    this.#nodes(graph.node, depth);
  }

  #nodes(nodes: readonly NodeProto[], depth: number): void {
    for (const node of nodes) {
      if (!knownDomains.has(node.domain) || refusedOperators.has(node.opType)) {
        throw packDamaged("a graph uses an operator that packs may not use");
      }
      for (const attribute of node.attribute) {
        if (attribute.t !== undefined) this.#visit(attribute.t);
        for (const tensor of attribute.tensors) this.#visit(tensor);
        for (const sparse of [attribute.sparseTensor, ...attribute.sparseTensors]) this.#sparse(sparse);
        if (attribute.g !== undefined) this.#graph(attribute.g, depth + 1);
        for (const graph of attribute.graphs) this.#graph(graph, depth + 1);
      }
    }
  }

  #sparse(sparse: SparseTensorProto | undefined): void {
    if (sparse?.values !== undefined) this.#visit(sparse.values);
    if (sparse?.indices !== undefined) this.#visit(sparse.indices);
  }
}

function checkTensor(tensor: TensorProto, files: ReadonlyMap<string, number>): void {
  if (tensor.dataLocation !== DataLocation.EXTERNAL) {
    // ONNX Runtime looks at the location alone, other readers at the entries: they must agree.
    if (tensor.externalData.length > 0) throw packDamaged("a tensor says twice where it lies");
    return;
  }
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  if (entries.size !== tensor.externalData.length) throw packDamaged("a tensor says twice where it lies");
  const size = files.get(entries.get("location") ?? "");
  if (size === undefined) throw packDamaged("a graph refers to a file that is not in the pack");
  const offset = decimal(entries.get("offset") ?? "0");
  const length = decimal(entries.get("length") ?? "");
  if (offset + length > size) throw packDamaged("a graph refers to data beyond the end of a file");
  const bytes = tensorBytes(tensor);
  if (bytes === null || bytes !== length) throw packDamaged("a tensor's data do not fit its shape");
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
