import { median } from "../../../core/figures.ts";
import type { Engine } from "./ours.ts";

/** The part of node-llama-cpp that is used; the package itself is a dependency of this folder alone. */
interface LlamaSequence {
  clearHistory(): Promise<void>;
  controlledEvaluate(
    input: readonly (number | readonly [number, object])[],
    options?: { onTokenResult(index: number, result: TokenResult): void },
  ): Promise<unknown>;
}
interface TokenResult {
  readonly next: { readonly probabilities?: ReadonlyMap<number, number> };
}
interface Disposable {
  dispose(): Promise<void>;
}
interface LlamaContext extends Disposable {
  getSequence(): LlamaSequence;
}
interface LlamaModel extends Disposable {
  createContext(options: object): Promise<LlamaContext>;
}
interface LlamaModule {
  getLlama(options: object): Promise<Disposable & { loadModel(options: object): Promise<LlamaModel> }>;
}

const packageName: string = "node-llama-cpp";

/** llama.cpp with its defaults on the CPU (node-llama-cpp). */
export async function openLlamaCpp(modelPath: string, threads: number): Promise<Engine> {
  const { getLlama } = (await import(packageName)) as LlamaModule;
  const llama = await getLlama({ gpu: false, build: "never", logLevel: "error" });
  const model = await llama.loadModel({ modelPath });
  const context = await model.createContext({
    contextSize: 4096,
    batchSize: 512,
    threads,
    flashAttention: true,
  });
  const sequence = context.getSequence();
  const read = async (ids: readonly number[]) => {
    if (ids.length > 0) await sequence.controlledEvaluate(ids);
  };
  const nextTokens: Engine["nextTokens"] = async (ids, rows) => {
    await sequence.clearHistory();
    const wanted = new Set(rows);
    const sampling = { temperature: 1, topK: 0, topP: 1, minP: 0 };
    const request = { generateNext: { probabilities: true, options: sampling } };
    const input = ids.map((id, i) => (wanted.has(i) ? ([id, request] as const) : id));
    const results: Float32Array[] = [];
    await sequence.controlledEvaluate(input, {
      onTokenResult(_, result) {
        const row = new Float32Array(49_152).fill(-100);
        for (const [token, probability] of result.next.probabilities ?? [])
          row[token] = Math.log(Math.max(probability, 1e-40));
        results.push(row);
      },
    });
    return results;
  };
  return {
    name: "llama.cpp",
    nextTokens,
    // Its activations are rounded row by row, so reading one by one or together makes no difference that counts.
    steps: (ids, first) =>
      nextTokens(
        ids,
        ids.flatMap((_, row) => (row < first ? [] : [row])),
      ),
    async decode(ids, contextTokens, steps) {
      await sequence.clearHistory();
      await read(ids.slice(0, contextTokens));
      const times: number[] = [];
      for (let i = 0; i < steps; i++) {
        const started = performance.now();
        await read([ids[contextTokens + i] as number]);
        times.push(performance.now() - started);
      }
      return median(times);
    },
    async prefill(ids) {
      await sequence.clearHistory();
      const started = performance.now();
      await read(ids);
      return performance.now() - started;
    },
    async dispose() {
      await context.dispose();
      await model.dispose();
      await llama.dispose();
    },
  };
}
