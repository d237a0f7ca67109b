import os from "node:os";
import { median } from "../../../core/figures.ts";
import { GraphBuilder, int, modelBytes } from "../../../models/import/graph-builder.ts";
import { zeros, type GraphSession } from "../../../models/runtime/engine.ts";
import { cApi } from "../../../models/runtime/ort/engine.ts";

/**
 * node scripts/run-ts.mjs test/bench/llm/products.ts [ROWS] [COLUMNS] [TOKENS] [ROUNDS]
 *
 * How fast ONNX Runtime's products are with nothing around them: one matrix of random weights (by default 5,632 rows
 * of 2,048 columns, a gate of the shape of 1.1 billion weights) times a chunk of a prompt, in the forms that a pack
 * could choose. Sessions in one process, in turns; thousand millions of operations a second (a multiplication and an
 * addition are two), the median and the fastest round.
 */
const [rows = 5632, columns = 2048, tokens = 256, rounds = 25] = process.argv.slice(2).map(Number);
const threads = os.availableParallelism();
const { signal } = new AbortController();

interface Form {
  readonly bits: number;
  readonly block: number;
  /** 4: activations are rounded to 8 bits; 1: they stay float32. */
  readonly accuracyLevel: number;
}

const forms: Readonly<Record<string, Form | null>> = {
  "4 bits, blocks of 32 (as shipped)": { bits: 4, block: 32, accuracyLevel: 4 },
  "4 bits, blocks of 128": { bits: 4, block: 128, accuracyLevel: 4 },
  "8 bits, blocks of 32": { bits: 8, block: 32, accuracyLevel: 4 },
  "4 bits, blocks of 32, float activations": { bits: 4, block: 32, accuracyLevel: 1 },
  "float32 weights": null,
};

function productGraph(form: Form | null): Uint8Array {
  const graph = new GraphBuilder("product");
  graph.input("x", "float32", [tokens, columns]);
  graph.output("y", "float32", [tokens, rows]);
  const random = (length: number) => Float32Array.from({ length }, () => (Math.random() - 0.5) / columns);
  if (form === null) {
    const weights = { name: "w", type: "float32", shape: [columns, rows] } as const;
    graph.node({ name: "y", op: "MatMul", inputs: ["x", graph.constant(weights, random(rows * columns))] });
    return modelBytes(graph.model());
  }
  const { bits, block, accuracyLevel } = form;
  const blocks = columns / block;
  const bytes = (block * bits) / 8;
  const packed = Uint8Array.from({ length: rows * blocks * bytes }, () => Math.random() * 256);
  graph.node({
    name: "y",
    op: "MatMulNBits",
    inputs: [
      "x",
      graph.constant({ name: "q", type: "uint8", shape: [rows, blocks, bytes] }, packed),
      graph.constant({ name: "s", type: "float32", shape: [rows * blocks] }, random(rows * blocks)),
    ],
    attributes: {
      K: int(columns),
      N: int(rows),
      bits: int(bits),
      block_size: int(block),
      accuracy_level: int(accuracyLevel),
    },
  });
  return modelBytes(graph.model());
}

/** Seconds of one product. */
async function time(session: GraphSession): Promise<number> {
  const x = cApi.tensor(zeros(tokens * columns), [tokens, columns]);
  const y = cApi.tensor(zeros(tokens * rows), [tokens, rows]);
  x.data.forEach((_, i) => (x.data[i] = Math.sin(i)));
  const binding = session.bind();
  binding.input("x", x);
  binding.output("y", y);
  const started = performance.now();
  await binding.run(signal);
  const seconds = (performance.now() - started) / 1000;
  binding.dispose();
  x.dispose();
  y.dispose();
  return seconds;
}

const measured = await Promise.all(
  Object.entries(forms).map(async ([name, form]) => {
    const source = { type: "bytes", bytes: productGraph(form), dataFolder: null } as const;
    const session = await cApi.open(source, { provider: null, threads });
    return { name, session, seconds: [] as number[] };
  }),
);
// The first round warms up and is not counted.
for (let round = 0; round <= rounds; round += 1)
  for (const { session, seconds } of measured) {
    const taken = await time(session);
    if (round > 0) seconds.push(taken);
  }
const rate = (seconds: number) => Math.round((2 * rows * columns * tokens) / seconds / 1e9);
const figures = measured.map(({ name, seconds }) => [
  name,
  { median: rate(median(seconds)), fastest: rate(Math.min(...seconds)) },
]);
for (const { session } of measured) await session.dispose();
console.log(
  JSON.stringify({ rows, columns, tokens, rounds, threads, rates: Object.fromEntries(figures) }, null, 2),
);
