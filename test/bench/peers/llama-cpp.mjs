// llama.cpp by its own defaults on the CPU (node-llama-cpp, prebuilt), on a GGUF file.
import { readFile } from "node:fs/promises";
import path from "node:path";
import { serveRounds } from "./serve-rounds.mjs";

await serveRounds(async ({ model: modelPath, threads, contexts, prompt, decoded }) => {
  const { getLlama } = await import("node-llama-cpp");
  const llama = await getLlama({ gpu: false, build: "never", logLevel: "error" });
  const model = await llama.loadModel({ modelPath });
  const longest = Math.max(prompt, ...contexts.map((tokens) => tokens + decoded));
  const context = await model.createContext({
    contextSize: longest + 64,
    batchSize: 512,
    threads,
    flashAttention: true,
  });
  const sequence = context.getSequence();
  const read = async (tokens) => {
    const started = performance.now();
    await sequence.controlledEvaluate(tokens);
    return performance.now() - started;
  };
  const manifest = new URL("../node_modules/node-llama-cpp/package.json", import.meta.url);
  const { version } = JSON.parse(await readFile(manifest, "utf8"));
  // The variant for this processor, of those that lie in the package.
  const loaded = process.report.getReport().sharedObjects.find((file) => /ggml-cpu/.test(file));
  return {
    details: { version: `node-llama-cpp ${version}`, backend: path.basename(loaded ?? "unknown") },
    async prefill(ids) {
      await sequence.clearHistory();
      return read(ids);
    },
    async decode(ids, steps) {
      await sequence.clearHistory();
      await read(ids);
      const times = [];
      for (let step = 0; step < steps; step++) times.push(await read([101 + step]));
      return times;
    },
  };
});
