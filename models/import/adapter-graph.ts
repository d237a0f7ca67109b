import { appError } from "../../core/errors.ts";
import type { GraphProto, ModelProto, NodeProto, TensorProto } from "../onnx/onnx-proto.ts";
import { floatToHalf, halfToFloatTable } from "./half-float.ts";
import { inlineTensor, int, nodeProto, type NodeSpec, type TensorSpec } from "./graph-builder.ts";
import { bytesOf } from "./graph-weights.ts";
import { rowCount, rowLength, type TensorSource } from "./tensor-source.ts";

/** The linear layers that an adapter may change, by node, and the projections that each node holds one below the other. */
const projections: Readonly<Record<string, readonly string[]>> = {
  qkv: ["q_proj", "k_proj", "v_proj"],
  o: ["o_proj"],
  "mlp/gate_up": ["gate_proj", "up_proj"],
  down: ["down_proj"],
};

interface Factor {
  /** [rows, columns] */
  readonly values: Float32Array;
  readonly rows: number;
  readonly columns: number;
}

interface LoraPair {
  /** [in, rank] */
  readonly a: Factor;
  /** [rank, out], the scale folded in */
  readonly b: Factor;
}

/**
 * Adds a LoRA adapter to a decoder graph: y = W x + B (A x). The factors lie in the graph as bytes with a half-precision
 * step a row; ONNX Runtime turns them into float32 once while it loads. The base's weights stay where they are.
 * Tensors are named `layers.N.PROJECTION.lora_A` [in, rank] and `.lora_B` [rank, out].
 */
export async function addAdapter(model: ModelProto, adapter: TensorSource): Promise<ModelProto> {
  const { graph } = model;
  if (graph === undefined) throw appError("model-file-damaged", "The decoder graph is empty.");
  const used = new Set<string>();
  const editor = new GraphEditor(graph);
  for (const node of graph.node) {
    const place = /^layers\/(\d+)\/(qkv|o|mlp\/gate_up|down)$/.exec(node.name);
    if (place === null) continue;
    const [, layer = "", kind = ""] = place;
    const pairs: (LoraPair | null)[] = [];
    for (const projection of projections[kind] ?? []) {
      pairs.push(await readPair(adapter, `layers.${layer}.${projection}`, used));
    }
    if (pairs.every((pair) => pair !== null)) editor.addTo(node, pairs);
    else if (pairs.some((pair) => pair !== null)) {
      throw appError(
        "not-supported",
        "The adapter changes a part of the projections that are read together.",
      );
    }
  }
  const left = [...adapter.tensors.keys()].find((name) => !used.has(name));
  if (left !== undefined)
    throw appError("not-supported", `The adapter has a tensor that has no place: ${left}.`);
  return editor.result(model);
}

async function readPair(adapter: TensorSource, name: string, used: Set<string>): Promise<LoraPair | null> {
  const names = [`${name}.lora_A`, `${name}.lora_B`] as const;
  if (!adapter.tensors.has(names[0]) && !adapter.tensors.has(names[1])) return null;
  names.forEach((one) => used.add(one));
  const [a, b] = [await readFactor(adapter, names[0]), await readFactor(adapter, names[1])];
  if (a.columns !== b.rows) throw appError("model-file-damaged", `The two factors of ${name} do not fit.`);
  return { a, b };
}

async function readFactor(adapter: TensorSource, name: string): Promise<Factor> {
  const info = adapter.tensors.get(name);
  if (info === undefined || info.shape.length !== 2) {
    throw appError("model-file-damaged", `The adapter lacks ${name}.`);
  }
  const rows = rowCount(info);
  return { values: await adapter.readRows(name, { first: 0, count: rows }), rows, columns: rowLength(info) };
}

class GraphEditor {
  readonly #graph: GraphProto;
  readonly #tensors: TensorProto[] = [];
  /** Nodes to put in after a node, by its name. */
  readonly #after = new Map<string, NodeProto[]>();
  readonly #before: NodeProto[] = [];
  readonly #renamed = new Map<string, string>();

  constructor(graph: GraphProto) {
    this.#graph = graph;
  }

  addTo(node: NodeProto, pairs: readonly LoraPair[]): void {
    const name = `${node.name}/lora`;
    const output = node.output[0] ?? node.name;
    const total = pairs.reduce((sum, { a }) => sum + a.columns, 0);
    // A's stand side by side; B's on a diagonal, so that each projection sees its own A alone.
    const wide = this.#join(
      `${name}/a`,
      pairs.map(({ a }, i) => this.#factor(`${name}/a${i}`, turned(a), true)),
      1,
    );
    let before = 0;
    const blocks = pairs.map(({ b }, i) => {
      const padded = this.#pad(`${name}/b${i}`, this.#factor(`${name}/b${i}`, b, false), [
        before,
        total - before - b.rows,
      ]);
      before += b.rows;
      return padded;
    });
    const tall = this.#join(`${name}/b`, blocks, 1);
    const inner = nodeProto({ name: `${name}/inner`, op: "MatMul", inputs: [this.#input(node), wide] });
    const outer = nodeProto({ name: `${name}/outer`, op: "MatMul", inputs: [`${name}/inner`, tall] });
    const sum = nodeProto({
      name: `${name}/sum`,
      op: "Add",
      inputs: [`${output}/base`, `${name}/outer`],
      outputs: [output],
    });
    this.#renamed.set(node.name, `${output}/base`);
    this.#after.set(node.name, [inner, outer, sum]);
  }

  result(model: ModelProto): ModelProto {
    const nodes = this.#graph.node.flatMap((node) => {
      const output = this.#renamed.get(node.name);
      const changed = output === undefined ? node : { ...node, output: [output, ...node.output.slice(1)] };
      return [changed, ...(this.#after.get(node.name) ?? [])];
    });
    const graph = {
      ...this.#graph,
      node: [...this.#before, ...nodes],
      initializer: [...this.#graph.initializer, ...this.#tensors],
    };
    return { ...model, graph };
  }

  /** What the layer reads, before block sums are put behind it. */
  #input(node: NodeProto): string {
    const sums = this.#graph.node.find((one) => one.name === `${node.name}/with_sums`);
    return (sums ?? node).input[0] ?? "";
  }

  #constant(spec: NodeSpec): string {
    this.#before.push(nodeProto(spec));
    return spec.name;
  }

  #tensor(spec: TensorSpec, values: Float32Array | BigInt64Array | Uint8Array): string {
    this.#tensors.push(inlineTensor(spec, values));
    return spec.name;
  }

  /** [rows, columns] float32 from bytes around 128 and a step a row; `turn` gives [columns, rows]. */
  #factor(name: string, factor: Factor, turn: boolean): string {
    const { bytes, steps } = quantiseFactor(factor);
    const shape = [factor.rows, factor.columns];
    const numbers = this.#constant({
      name: `${name}/numbers`,
      op: "Cast",
      inputs: [this.#tensor({ name: `${name}/bytes`, type: "uint8", shape }, bytes)],
      attributes: { to: int(1) },
    });
    const half = this.#tensor(
      { name: `${name}/steps`, type: "float16", shape: [factor.rows, 1] },
      bytesOf(steps),
    );
    const step = this.#constant({
      name: `${name}/step`,
      op: "Cast",
      inputs: [half],
      attributes: { to: int(1) },
    });
    const middle = this.#middle();
    const centred = this.#constant({ name: `${name}/centred`, op: "Sub", inputs: [numbers, middle] });
    const scaled = this.#constant({ name: `${name}/scaled`, op: "Mul", inputs: [centred, step] });
    return turn ? this.#constant({ name: `${name}/turned`, op: "Transpose", inputs: [scaled] }) : scaled;
  }

  #middle(): string {
    const name = "lora/middle";
    if (this.#tensors.every((tensor) => tensor.name !== name)) {
      this.#tensor({ name, type: "float32", shape: [] }, Float32Array.of(128));
    }
    return name;
  }

  #pad(name: string, input: string, [before, after]: readonly [number, number]): string {
    if (before === 0 && after === 0) return input;
    const pads = this.#tensor(
      { name: `${name}/pads`, type: "int64", shape: [4] },
      BigInt64Array.of(BigInt(before), 0n, BigInt(after), 0n),
    );
    return this.#constant({ name: `${name}/padded`, op: "Pad", inputs: [input, pads] });
  }

  #join(name: string, inputs: readonly string[], axis: number): string {
    if (inputs.length === 1) return inputs[0] as string;
    return this.#constant({ name, op: "Concat", inputs, attributes: { axis: int(axis) } });
  }
}

/** A's own rows are the inputs; with a step for each rank instead, a strong rank does not coarsen a weak one. */
function turned({ values, rows, columns }: Factor): Factor {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      result[column * rows + row] = values[row * columns + column] as number;
    }
  }
  return { values: result, rows: columns, columns: rows };
}

function quantiseFactor({ values, rows, columns }: Factor): { bytes: Uint8Array; steps: Uint16Array } {
  const bytes = new Uint8Array(values.length);
  const steps = new Uint16Array(rows);
  for (let row = 0; row < rows; row++) {
    const part = values.subarray(row * columns, (row + 1) * columns);
    const largest = part.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    steps[row] = Math.max(floatToHalf(largest / 127), 1);
    const step = halfToFloatTable()[steps[row] as number] as number;
    part.forEach((value, i) => {
      bytes[row * columns + i] = Math.min(Math.max(Math.round(value / step), -127), 127) + 128;
    });
  }
  return { bytes, steps };
}
