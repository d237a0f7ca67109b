import type { GraphProto, NodeProto } from "../onnx/onnx-proto.ts";

/** Puts each node behind the one that computes its first input; in front of all where that is none. */
export function insertBehindSources(graph: GraphProto, nodes: readonly NodeProto[]): void {
  const waiting = new Map(nodes.map((node) => [node.input[0]!, node]));
  const behind = graph.node.map((node) => {
    const next = node.output.flatMap((name) => waiting.get(name) ?? []);
    for (const { input } of next) waiting.delete(input[0]!);
    return [node, ...next];
  });
  graph.node = [...waiting.values(), ...behind.flat()];
}
