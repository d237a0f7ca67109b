import type { VisionModel } from "./backend.ts";
import { runOnce } from "./language-model.ts";
import { type Engine, type GraphSession, type GraphSource, type SessionOptions, zeros } from "./engine.ts";
import { cApi } from "./ort/engine.ts";
import { onProcessor } from "./processor-graph.ts";

export interface VisionModelSource {
  readonly graph: GraphSource;
  /** Pixels of the model input. */
  readonly width: number;
  readonly height: number;
  readonly tokens: number;
  readonly hidden: number;
}

/** Encoder and projector of a pack, in one graph. */
export class OrtVisionModel implements VisionModel {
  readonly tokens: number;
  readonly hidden: number;
  readonly #engine: Engine;
  readonly #session: GraphSession;
  readonly #width: number;
  readonly #height: number;

  private constructor(engine: Engine, session: GraphSession, source: VisionModelSource) {
    this.#engine = engine;
    this.#session = session;
    this.tokens = source.tokens;
    this.hidden = source.hidden;
    this.#width = source.width;
    this.#height = source.height;
  }

  static async open(
    source: VisionModelSource,
    options: SessionOptions,
    engine: Engine = cApi,
  ): Promise<OrtVisionModel> {
    const session = await engine.open(onProcessor(source.graph, options), options);
    return new OrtVisionModel(engine, session, source);
  }

  async encode(pixels: Float32Array, count: number, signal: AbortSignal): Promise<Float32Array> {
    const shape = [count, this.tokens, this.hidden];
    const output = this.#engine.tensor(zeros(count * this.tokens * this.hidden), shape);
    const input = this.#engine.tensor(pixels, [count, 3, this.#height, this.#width]);
    try {
      // Its only one: `image_embeddings`, in exports `image_features`.
      const [name = "image_embeddings"] = this.#session.outputs;
      const tensors = { inputs: { pixel_values: input }, outputs: { [name]: output } };
      await runOnce(this.#session, tensors, signal);
    } finally {
      output.dispose();
    }
    return output.data;
  }

  dispose(): Promise<void> {
    return this.#session.dispose();
  }
}
