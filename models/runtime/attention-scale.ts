import { create } from "@bufbuild/protobuf";
import {
  type GraphProto,
  type NodeProto,
  NodeProtoSchema,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
} from "../onnx/onnx-proto.ts";
import { insertBehindSources } from "./insert-nodes.ts";

/** Inputs of GroupQueryAttention by their place. */
const inputs = { pastKey: 3, cos: 7, sin: 8, keyScales: 12 } as const;

/** Nodes between the frequencies of rotary positions and their tables: angles, cosines, amplitude, type. */
const longestWay = 6;

/**
 * Moves the factor of attention's scores out of GroupQueryAttention into the tables of cos and sin, whose root it
 * becomes: queries and keys are both multiplied by them, and the scales of keys that are kept as integers with them.
 * The scores are the same, but ONNX Runtime multiplies one query with all keys straight from the cache only where that
 * factor is 1. Otherwise it first copies all keys into another order, for each head and each token (MlasSgemmOperation
 * in sgemm.cpp). Attention that turns a part of each head only stays as it is.
 */
export function moveScaleIntoRotary(graph: GraphProto): void {
  const known = new KnownGraph(graph);
  const products: NodeProto[] = [];
  const scaled = (tensor: string, factor: string): string => {
    const output = `${tensor}/scaled`;
    const node = { name: output, opType: "Mul", input: [tensor, factor], output: [output] };
    products.push(create(NodeProtoSchema, node));
    return output;
  };
  for (const group of attentionsByTables(graph)) {
    const scale = commonScale(group);
    if (scale === null || !group.every((node) => known.turnsWholeHeads(node))) continue;
    const [cos, sin] = tablesOf(group[0]!);
    const factor = `${cos}/root_of_scale`;
    const value = { name: factor, dataType: DataType.FLOAT, floatData: [Math.sqrt(scale)] };
    graph.initializer.push(create(TensorProtoSchema, value));
    const tables = [scaled(cos, factor), scaled(sin, factor)] as const;
    for (const node of group) {
      [node.input[inputs.cos], node.input[inputs.sin]] = tables;
      const keyScales = node.input[inputs.keyScales];
      if (keyScales) node.input[inputs.keyScales] = scaled(keyScales, factor);
      scaleAttribute(node)!.f = 1;
    }
  }
  // Of constants: they are computed once, while the graph is loaded.
  insertBehindSources(graph, products);
}

function attentionsByTables(graph: GraphProto): NodeProto[][] {
  const groups = new Map<string, NodeProto[]>();
  for (const node of graph.node) {
    if (node.opType !== "GroupQueryAttention") continue;
    const tables = JSON.stringify(tablesOf(node));
    const group = groups.get(tables);
    if (group) group.push(node);
    else groups.set(tables, [node]);
  }
  return [...groups.values()];
}

function tablesOf({ input }: NodeProto): readonly [cos: string, sin: string] {
  return [input[inputs.cos] ?? "", input[inputs.sin] ?? ""];
}

function scaleAttribute({ attribute }: NodeProto) {
  return attribute.find(({ name }) => name === "scale");
}

/** Null where there is none to move, or not the same in all of them. */
function commonScale(group: readonly NodeProto[]): number | null {
  const [scale, ...others] = new Set(group.map((node) => scaleAttribute(node)?.f ?? 0));
  return scale !== undefined && scale > 0 && scale !== 1 && others.length === 0 ? scale : null;
}

/** What is asked of a graph, by names. */
class KnownGraph {
  readonly #producers: ReadonlyMap<string, NodeProto>;
  readonly #initializers: ReadonlyMap<string, readonly bigint[]>;
  readonly #headSizes: ReadonlyMap<string, number>;

  constructor({ node, initializer, input }: GraphProto) {
    this.#producers = new Map(node.flatMap((one) => one.output.map((name) => [name, one] as const)));
    this.#initializers = new Map(initializer.map(({ name, dims }) => [name, dims]));
    this.#headSizes = new Map(input.map(({ name, type }) => [name, lastOfFour(type)]));
  }

  turnsWholeHeads({ input }: NodeProto): boolean {
    return this.#tableWidth(input[inputs.cos] ?? "") * 2 === this.#headSizes.get(input[inputs.pastKey] ?? "");
  }

  /** Columns of a table that is computed from frequencies, [1, columns] (the importer's `rotary-tables.ts`). */
  #tableWidth(table: string): number {
    let name = table;
    for (let way = 0; way < longestWay; way += 1) {
      const made = this.#producers.get(name);
      const frequencies = made?.input.find((input) => input.endsWith("/frequencies"));
      if (frequencies !== undefined) return Number(this.#initializers.get(frequencies)?.[1] ?? Number.NaN);
      name = made?.input[0] ?? "";
    }
    return Number.NaN;
  }
}

/** The last dimension of [batch, heads, capacity, headSize]; NaN where it is another shape. */
function lastOfFour(type: GraphProto["input"][number]["type"]): number {
  const dimensions = type?.value.case === "tensorType" ? type.value.value.shape?.dim : undefined;
  const last = dimensions?.[3]?.value;
  return last?.case === "dimValue" ? Number(last.value) : Number.NaN;
}
