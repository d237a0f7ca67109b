import { appError } from "../../core/errors.ts";
import type { GraphProto, ModelProto, NodeProto, ValueInfoProto } from "../onnx/onnx-proto.ts";
import { modelBytes } from "./graph-builder.ts";

/** One layer of a decoder as a graph of its own. Its keys and values are called those of layer 0. */
export interface LayerGraph {
  readonly bytes: Uint8Array;
  /** What it takes of the layer before it (the first: embeddings), float32 [batch, seq, hidden] each. */
  readonly inputs: readonly string[];
  /** The same of the next layer. */
  readonly outputs: readonly string[];
}

const embeddings = "inputs_embeds";

/**
 * Cuts a layer out of a decoder that `decoderLayers` wrote: between two layers stands the node with the norm of the
 * next one. Weights stay where they are; what all layers share (rotary tables, masks) comes along.
 * @throws internal where the graph is another
 */
export function layerGraph(
  { graph, ...model }: ModelProto,
  { layer, layers }: { readonly layer: number; readonly layers: number },
): LayerGraph {
  const given = graph?.input.find(({ name }) => name === embeddings);
  if (graph === undefined || given === undefined) throw otherGraph();
  const inputs = layer === 0 ? [embeddings] : statesAt(graph, `layers/${layer}/norm`);
  const outputs = statesAt(graph, layer + 1 === layers ? "norm" : `layers/${layer + 1}/norm`);
  const present = [`present_key_${layer}`, `present_value_${layer}`];
  const { nodes, outside } = behind(graph, [...outputs, ...present], new Set(inputs));
  const foreign = (name: string) =>
    name === embeddings || (name.startsWith("past_") && !name.endsWith(`_${layer}`));
  if ([...outside].some(foreign)) throw otherGraph();
  const state = (name: string): ValueInfoProto => ({ ...given, name });
  const asFirst = (values: readonly ValueInfoProto[]) =>
    values.map((value) => ({ ...value, name: firstLayer(value.name) }));
  const cut: GraphProto = {
    ...graph,
    node: graph.node.filter((node) => nodes.has(node)).map(inFirstLayer),
    initializer: graph.initializer.filter(({ name }) => outside.has(name)),
    input: [...inputs.map(state), ...asFirst(graph.input.filter(({ name }) => outside.has(name)))],
    output: [...outputs.map(state), ...asFirst(graph.output.filter(({ name }) => present.includes(name)))],
  };
  return { bytes: modelBytes({ ...model, graph: cut }), inputs, outputs };
}

/** The sum so far and its norm, or the sum alone. */
function statesAt({ node }: GraphProto, name: string): string[] {
  const border = node.find((one) => one.name === name);
  if (border === undefined) throw otherGraph();
  return border.output.filter((output) => output !== "");
}

/** Nodes that `wanted` is computed by, back to `known`, and the names that no node computes. */
function behind(
  { node: all }: GraphProto,
  wanted: readonly string[],
  known: ReadonlySet<string>,
): { readonly nodes: ReadonlySet<NodeProto>; readonly outside: ReadonlySet<string> } {
  const makers = new Map(all.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const nodes = new Set<NodeProto>();
  const outside = new Set<string>();
  const open = [...wanted];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (name === "" || known.has(name)) continue;
    const maker = makers.get(name);
    if (maker === undefined) outside.add(name);
    else if (!nodes.has(maker)) {
      nodes.add(maker);
      open.push(...maker.input);
    }
  }
  return { nodes, outside };
}

function inFirstLayer(node: NodeProto): NodeProto {
  return { ...node, input: node.input.map(firstLayer), output: node.output.map(firstLayer) };
}

function firstLayer(name: string): string {
  return name.replace(/^((?:past|present)_(?:key|value))_\d+$/, "$1_0");
}

function otherGraph(): Error {
  return appError("internal", "A decoder graph cannot be cut into its layers.");
}
