// transformers.js on the CPU, on a folder with config.json, tokenizer and onnx/model_q4.onnx.
import path from "node:path";
import { serveRounds } from "./serve-rounds.mjs";

await serveRounds(async ({ model: folder, threads }) => {
  const { AutoModelForCausalLM, BaseStreamer, Tensor, env } = await import("@huggingface/transformers");
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.localModelPath = path.dirname(folder);
  const model = await AutoModelForCausalLM.from_pretrained(path.basename(folder), {
    dtype: "q4",
    device: "cpu",
    local_files_only: true,
    use_external_data_format: true,
    session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
  });

  /** When each token came: the first call hands over the prompt before it is read. */
  class Clock extends BaseStreamer {
    times = [];
    put() {
      this.times.push(performance.now());
    }
    end() {}
  }

  async function generate(ids, count) {
    const streamer = new Clock();
    const shape = [1, ids.length];
    await model.generate({
      input_ids: new Tensor("int64", BigInt64Array.from(ids.map(BigInt)), shape),
      attention_mask: new Tensor("int64", new BigInt64Array(ids.length).fill(1n), shape),
      max_new_tokens: count,
      min_new_tokens: count,
      do_sample: false,
      streamer,
    });
    return streamer.times.slice(1).map((time, i) => time - streamer.times[i]);
  }

  return {
    details: { version: `transformers.js ${env.version}` },
    prefill: async (ids) => (await generate(ids, 1))[0],
    decode: async (ids, steps) => (await generate(ids, steps + 1)).slice(1),
  };
});
