import type { VisionModel } from "./backend.ts";
import { runOnce } from "./language-model.ts";
import { type GraphSource, Session, type SessionOptions } from "./ort/session.ts";
import { Tensor, zeros } from "./ort/tensor.ts";

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
  readonly #session: Session;
  readonly #width: number;
  readonly #height: number;

  private constructor(session: Session, source: VisionModelSource) {
    this.#session = session;
    this.tokens = source.tokens;
    this.hidden = source.hidden;
    this.#width = source.width;
    this.#height = source.height;
  }

  static async open(source: VisionModelSource, options: SessionOptions): Promise<OrtVisionModel> {
    return new OrtVisionModel(await Session.open(source.graph, options), source);
  }

  async encode(pixels: Float32Array, count: number, signal: AbortSignal): Promise<Float32Array> {
    const shape = [count, this.tokens, this.hidden];
    const output = new Tensor(zeros(count * this.tokens * this.hidden), shape);
    const input = new Tensor(pixels, [count, 3, this.#height, this.#width]);
    try {
      const tensors = { inputs: { pixel_values: input }, outputs: { image_embeddings: output } };
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
