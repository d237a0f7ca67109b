import type { Rectangle } from "../../core/view.ts";
import type { ModelInput } from "../api.ts";

/**
 * What grounding needs of a loaded pack, and all that it may ask of it: encode an image, and say how probable given
 * texts are. `models/answer.ts` opens it on the runtime; nothing in `models/evidence` knows ONNX, tokenizers or
 * caches.
 */

/** A view as the model gets it: 8 bit, padded, before normalisation. Fills and references act on `input`. */
export interface GroundingView {
  readonly input: ModelInput;
  /** The part of `input` that shows the image; the rest is padding. Model input pixels, whole numbers. */
  readonly content: Rectangle;
  /** A rectangle of model input pixels in pixels of the stored frame, clipped to the frame (undoes crop and turn). */
  toFrame(rectangle: Rectangle): Rectangle;
}

/** The projected tokens of one image: float32 [tokens, hidden]. */
export interface ImageEmbedding {
  readonly tokens: number;
  readonly hidden: number;
  readonly values: Float32Array;
}

/** A text that the model could have said: `prefix` is what it said before in the same turn ("" where nothing). */
export interface Continuation {
  readonly prefix: string;
  /**
   * The text whose tokens are scored. It is tokenised as it would be when it follows `prefix`, so where `prefix`
   * is not empty `text` starts with the blank that divides them.
   */
  readonly text: string;
}

export interface TokenScore {
  /** UTF-16 offsets into `Continuation.text`, end exclusive. */
  readonly start: number;
  readonly end: number;
  /** Natural logarithm of the probability of this token given all before it. */
  readonly logProbability: number;
}

/** The tokens of one continuation, in order, without an end-of-turn token. */
export type ContinuationScore = readonly TokenScore[];

export interface ScoreRequest {
  /** Each alternative holds one embedding per view of the question, in the order of the views. */
  readonly alternatives: readonly (readonly ImageEmbedding[])[];
  readonly continuations: readonly Continuation[];
  /** The images come again with other questions, as references do: the runtime keeps what it read of them. */
  readonly lasting?: boolean;
}

/** A loaded pack bound to one question (with its header line and its number of views). */
export interface GroundingModel {
  /** How often a part of the model has left a graphics card: what it computes is not quite the same after that. */
  readonly moves: number;
  /** One embedding an input, in order; several inputs may be encoded in one batch. */
  encode(inputs: readonly ModelInput[], signal: AbortSignal): Promise<ImageEmbedding[]>;
  /**
   * `result[alternative][continuation]`, teacher-forced. All continuations of one alternative share the prefill of
   * images and question. The same ImageEmbedding object stands for the same image.
   */
  score(request: ScoreRequest, signal: AbortSignal): Promise<ContinuationScore[][]>;
}
