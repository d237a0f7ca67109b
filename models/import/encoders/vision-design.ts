/** Shape of a vision transformer, the same for every family. */
export interface VisionConfig {
  /** Pixels, both sides. */
  readonly imageSize: number;
  readonly patchSize: number;
  readonly hidden: number;
  readonly intermediate: number;
  /** Layers that are run: features may be taken before the last. */
  readonly layers: number;
  readonly heads: number;
  readonly normEpsilon: number;
  readonly activation: "quick-gelu" | "gelu" | "gelu-tanh";
  /** Whether the norm behind the last layer belongs to the features. */
  readonly lastNorm: boolean;
  /** Whether the class token is one of the features. */
  readonly keepClassToken: boolean;
}

/** Tensors of one family of vision transformers; a linear layer or a norm is named without `.weight` and `.bias`. */
export interface VisionDesign {
  /** Convolution of the patches, [hidden, 3, patch, patch]. */
  readonly patches: string;
  readonly patchBias: boolean;
  readonly classToken: string | null;
  /** [patches (and class token), hidden], perhaps with a 1 before. */
  readonly positions: string;
  readonly firstNorm: string | null;
  readonly lastNorm: string;
  readonly layer: (layer: number) => VisionLayerNames;
}

export interface VisionLayerNames {
  readonly norm1: string;
  readonly query: string;
  readonly key: string;
  readonly value: string;
  readonly output: string;
  readonly scale1: string | null;
  readonly norm2: string;
  readonly up: string;
  readonly down: string;
  readonly scale2: string | null;
}
