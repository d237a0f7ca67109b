import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { GraphBuilder, modelBytes } from "../../../../models/import/graph-builder.ts";
import { ortEnvironment } from "../../../../models/runtime/ort/environment.ts";
import { nodeBinding } from "../../../../models/runtime/binding/engine.ts";
import { cApi } from "../../../../models/runtime/ort/engine.ts";
import { Session } from "../../../../models/runtime/ort/session.ts";
import { Tensor } from "../../../../models/runtime/ort/tensor.ts";

const never = new AbortController().signal;
const cpu = { provider: null, threads: 2 };

/** y = x @ w + x @ w, [n, 2] -> [n, 3] */
function matmulGraph(): Uint8Array {
  const graph = new GraphBuilder("test");
  graph.input("x", "float32", ["n", 2]);
  graph.constant({ name: "w", type: "float32", shape: [2, 3] }, new Float32Array([1, 2, 3, 4, 5, 6]));
  graph.node({ name: "product", op: "MatMul", inputs: ["x", "w"] });
  graph.node({ name: "y", op: "Add", inputs: ["product", "product"] });
  graph.output("y", "float32", ["n", 3]);
  return modelBytes(graph.model());
}

/** A loop of `steps` products of a big square matrix with itself: long enough to be stopped. */
function longGraph(size: number, steps: number): Uint8Array {
  const graph = new GraphBuilder("long");
  let last = graph.input("x", "float32", [size, size]);
  for (let step = 0; step < steps; step += 1) {
    last = graph.node({
      name: step === steps - 1 ? "y" : `step_${step}`,
      op: "MatMul",
      inputs: [last, "x"],
    });
  }
  graph.output("y", "float32", [size, size]);
  return modelBytes(graph.model());
}

describe("ONNX Runtime through its C interface", () => {
  test("the function table is the one of the shipped library", () => {
    const { version, providers } = ortEnvironment();
    expect(version).toBe("1.30.0");
    expect(providers).toContain("CPUExecutionProvider");
  });

  test("arrays survive collection and the event loop runs while the graph does", async () => {
    const session = await Session.open({ type: "bytes", bytes: longGraph(512, 40), dataFolder: null }, cpu);
    const binding = session.bind();
    const values = new Float32Array(512 * 512);
    for (let i = 0; i < 512; i += 1) values[i * 513] = 1;
    binding.input("x", new Tensor(values, [512, 512]));
    const y = new Tensor(new Float32Array(512 * 512), [512, 512]);
    binding.output("y", y);
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
      // Garbage enough for collections to happen while native code uses the arrays above.
      Array.from({ length: 1000 }, () => new Float32Array(64));
    }, 1);
    await binding.run(never);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
    expect(y.data[0]).toBe(1);
    expect(y.data[1]).toBe(0);
    expect(y.data.at(-1)).toBe(1);
    binding.dispose();
    await session.dispose();
  });

  test("a run stops between two nodes when its signal fires, and the session still works", async () => {
    const session = await Session.open({ type: "bytes", bytes: longGraph(768, 400), dataFolder: null }, cpu);
    const binding = session.bind();
    binding.input("x", new Tensor(new Float32Array(768 * 768), [768, 768]));
    const y = new Tensor(new Float32Array(768 * 768).fill(7), [768, 768]);
    binding.output("y", y);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 5);
    await expect(binding.run(controller.signal)).rejects.toMatchObject({ code: "cancelled" });
    expect(y.data[0]).toBe(7);
    await expect(binding.run(controller.signal)).rejects.toMatchObject({ code: "cancelled" });
    binding.dispose();
    await session.dispose();
  });
});

describe.each([
  { name: "its C interface", engine: cApi },
  { name: "the package's binding", engine: nodeBinding },
])("ONNX Runtime through $name", ({ engine }) => {
  test("a graph given as bytes reads and writes the memory of typed arrays", async () => {
    const session = await engine.open({ type: "bytes", bytes: matmulGraph(), dataFolder: null }, cpu);
    expect(session.inputs).toEqual(["x"]);
    expect(session.outputs).toEqual(["y"]);
    expect(session.inputShape("x")).toEqual([-1, 2]);
    const binding = session.bind();
    const x = engine.tensor(new Float32Array([1, 0, 0, 1]), [2, 2]);
    const y = engine.tensor(new Float32Array(6), [2, 3]);
    binding.input("x", x);
    binding.output("y", y);
    await binding.run(never);
    expect([...y.data]).toEqual([2, 4, 6, 8, 10, 12]);
    x.data[0] = 10;
    await binding.run(never);
    expect(y.data[0]).toBe(20);
    binding.dispose();
    x.dispose();
    y.dispose();
    await session.dispose();
    await expect(session.run(binding, never)).rejects.toMatchObject({ code: "model-failed" });
  });

  test("what is no graph is a damaged pack, and no path leaks", async () => {
    const junk = { type: "bytes", bytes: new Uint8Array([1, 2, 3, 4]), dataFolder: null } as const;
    await expect(engine.open(junk, cpu)).rejects.toMatchObject({ code: "pack-damaged" });
    const missing = engine.open({ type: "file", path: "/nowhere/secret/graph.onnx" }, cpu);
    await expect(missing).rejects.toMatchObject({
      code: "pack-damaged",
      message: expect.not.stringContaining("secret"),
    });
  });

  test("a tensor that is not as long as its shape is refused", () => {
    expect(() => engine.tensor(new Float32Array(5), [2, 3])).toThrow("needs 6 values");
  });

  test("a graph is read from a file", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "meditron-graph-"));
    const bytes = matmulGraph();
    const file = path.join(folder, "graph.onnx");
    await writeFile(file, bytes);
    const session = await engine.open({ type: "file", path: file }, cpu);
    expect(session.inputs).toEqual(["x"]);
    await session.dispose();
    await rm(folder, { recursive: true });
  });

  test("a run that is cancelled before it begins leaves its output alone", async () => {
    const session = await engine.open({ type: "bytes", bytes: matmulGraph(), dataFolder: null }, cpu);
    const binding = session.bind();
    const y = engine.tensor(new Float32Array(3).fill(7), [1, 3]);
    binding.input("x", engine.tensor(new Float32Array([1, 2]), [1, 2]));
    binding.output("y", y);
    const controller = new AbortController();
    const stopped = binding.run(controller.signal);
    controller.abort();
    await expect(stopped).rejects.toMatchObject({ code: "cancelled" });
    await binding.run(never);
    expect([...y.data]).toEqual([18, 24, 30]);
    binding.dispose();
    await session.dispose();
  });
});
