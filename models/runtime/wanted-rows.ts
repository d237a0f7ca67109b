import { create } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  type GraphProto,
  type NodeProto,
  NodeProtoSchema,
} from "../onnx/onnx-proto.ts";
import { insertBehindSources } from "./insert-nodes.ts";

/** Operators that compute each token from itself alone, as the importer uses them behind the last attention. */
const rowWise = new Set([
  "Add",
  "Cast",
  "Concat",
  "Exp",
  "Gelu",
  "MatMul",
  "MatMulNBits",
  "Mul",
  "QuickGelu",
  "Relu",
  "SimplifiedLayerNormalization",
  "SkipSimplifiedLayerNormalization",
  "Split",
  "Sub",
  "Sum",
  "Tanh",
]);
const products = new Set(["MatMul", "MatMulNBits"]);
const alongAnAxis = new Set(["Concat", "Split"]);

/**
 * Lets what follows the last attention be computed for those tokens alone whose logits are wanted. In the graph of a
 * pack all tokens go through the rest of the last layer and are dropped in front of the head; of a prompt only one is
 * wanted, so nearly all of that is in vain. For batches of one, which is what `language-model.ts` runs. A graph that is
 * built in another way than the importer's stays as it is.
 */
export function computeWantedRowsOnly(graph: GraphProto): void {
  const head = headOf(graph);
  const attended = graph.node.findLast(({ opType }) => opType === "GroupQueryAttention")?.output[0];
  if (head === null || attended === undefined) return;
  const rest = restOfLayer(graph, attended, head);
  const moving = reachedFrom(
    graph,
    graph.input.map(({ name }) => name),
  );
  const tokens = reachedFrom(graph, ["inputs_embeds"]);
  const made = new Set(rest.flatMap(({ output }) => output));
  const given = new Set(
    rest.flatMap(({ input }) => input.filter((name) => moving.has(name) && !made.has(name))),
  );
  const kept = new Set(graph.output.map(({ name }) => name));
  const fits =
    rest.every((node) => isRowWise(node, moving) && !node.output.some((name) => kept.has(name))) &&
    made.has(head.flatten.input[0] ?? "") &&
    [...given].every((name) => tokens.has(name));
  if (!fits) return;
  for (const node of rest) node.input = node.input.map((name) => (given.has(name) ? wantedOf(name) : name));
  head.flatten.output = head.wanted.output;
  graph.node = graph.node.filter((node) => node !== head.wanted);
  insertBehindSources(
    graph,
    [...given].map((name) => gatherTokens(name, head.rows)),
  );
}

interface Head {
  /** [batch, tokens, hidden] → [batch × tokens, hidden] */
  readonly flatten: NodeProto;
  /** Takes the wanted rows of it. */
  readonly wanted: NodeProto;
  /** The input with their numbers. */
  readonly rows: string;
}

/** Null where all rows are used, or by others than the head too. */
function headOf({ node: nodes }: GraphProto): Head | null {
  const rows = "logit_rows";
  const wanted = nodes.find(({ opType, input }) => opType === "Gather" && input[1] === rows);
  const flat = wanted?.input[0];
  const flatten = nodes.find(({ opType, output }) => opType === "Reshape" && output[0] === flat);
  if (wanted === undefined || flatten === undefined) return null;
  const users = (name: string | undefined) => nodes.filter(({ input }) => input.includes(name ?? "")).length;
  return users(rows) === 1 && users(flat) === 1 && users(flatten.input[0]) === 1
    ? { flatten, wanted, rows }
    : null;
}

/** The nodes between the last attention and the head, in their order. */
function restOfLayer({ node: nodes }: GraphProto, attended: string, { flatten }: Head): NodeProto[] {
  const reached = new Set([attended]);
  return nodes.filter((node) => {
    if (node === flatten || !node.input.some((name) => reached.has(name))) return false;
    for (const name of node.output) reached.add(name);
    return true;
  });
}

/** All that is computed with `sources`, themselves included. */
function reachedFrom({ node: nodes }: GraphProto, sources: readonly string[]): ReadonlySet<string> {
  const reached = new Set(sources);
  for (const { input, output } of nodes) {
    if (input.some((name) => reached.has(name))) for (const name of output) if (name) reached.add(name);
  }
  return reached;
}

function isRowWise({ opType, input, attribute }: NodeProto, moving: ReadonlySet<string>): boolean {
  if (!rowWise.has(opType)) return false;
  if (products.has(opType)) return input.slice(1).every((name) => !moving.has(name));
  if (!alongAnAxis.has(opType)) return true;
  return attribute.some(({ name, i }) => name === "axis" && i === -1n);
}

function wantedOf(name: string): string {
  return `${name}/wanted`;
}

/** [1, tokens, width] → [1, rows, width] */
function gatherTokens(name: string, rows: string): NodeProto {
  const axis = create(AttributeProtoSchema, { name: "axis", type: AttributeType.INT, i: 1n });
  const output = wantedOf(name);
  const node = { name: output, opType: "Gather", input: [name, rows], output: [output] };
  return create(NodeProtoSchema, { ...node, attribute: [axis] });
}
