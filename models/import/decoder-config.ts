import { appError } from "../../core/errors.ts";
import { checkRotary, type RotaryConfig } from "./rotary.ts";

/** The shape of a decoder-only language model, the same for every checkpoint format. */
export interface DecoderConfig {
  readonly architecture: string;
  readonly layers: number;
  readonly hidden: number;
  readonly intermediate: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly vocabulary: number;
  /** Tokens. */
  readonly contextLength: number;
  readonly rotary: RotaryConfig;
  /** Of the layers with a window; null: theirs is the same. */
  readonly localRotary: RotaryConfig | null;
  /** Tokens that a layer with a window sees, its own included; null: no layer has one. */
  readonly window: number | null;
  /** Layers that see the window only. */
  readonly windowLayers: readonly number[];
  readonly normEpsilon: number;
  /** Added to every norm's weight. */
  readonly normOffset: 0 | 1;
  /** Attention scores are multiplied by it. */
  readonly attentionScale: number;
  /** Scores and logits are squeezed into ±cap by a tanh; 0: they are not. */
  readonly attentionCap: number;
  readonly logitCap: number;
  /** Token embeddings are multiplied by it. */
  readonly embeddingScale: number;
  /** Tokens of one image see each other, those behind them too (Gemma 3). */
  readonly imagesSeeThemselves: boolean;
  readonly biases: { readonly qkv: boolean; readonly output: boolean; readonly mlp: boolean };
  readonly tiedEmbedding: boolean;
}

/** What most decoders do not have. */
export const plainDecoder = {
  localRotary: null,
  window: null,
  windowLayers: [],
  normOffset: 0,
  attentionCap: 0,
  logitCap: 0,
  embeddingScale: 1,
  imagesSeeThemselves: false,
} as const;

const limits: Readonly<Partial<Record<keyof DecoderConfig, number>>> = {
  layers: 512,
  hidden: 65_536,
  intermediate: 524_288,
  heads: 1024,
  kvHeads: 1024,
  headSize: 1024,
  vocabulary: 4_194_304,
  contextLength: 16_777_216,
};

/** Errors: `model-file-damaged` when a number is absent, no whole number, or beyond what any model has. */
export function checkDecoderConfig(config: DecoderConfig): DecoderConfig {
  for (const [key, limit] of Object.entries(limits)) {
    const value = config[key as keyof DecoderConfig];
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > limit) {
      throw appError("model-file-damaged", `The model's settings give an impossible value for ${key}.`);
    }
  }
  checkRotary(config.rotary, config.headSize);
  if (config.localRotary !== null) checkRotary(config.localRotary, config.headSize);
  const { window, attentionScale, attentionCap, logitCap, embeddingScale, normEpsilon } = config;
  const sound =
    normEpsilon > 0 &&
    normEpsilon < 1 &&
    attentionScale > 0 &&
    embeddingScale > 0 &&
    [attentionScale, attentionCap, logitCap, embeddingScale].every((value) => value >= 0 && value < 1e6) &&
    (window === null || (Number.isInteger(window) && window > 0 && window < 2 ** 31)) &&
    config.heads % config.kvHeads === 0;
  if (!sound) throw appError("model-file-damaged", "The model's settings contradict each other.");
  if (config.headSize % 16 !== 0 || config.rotary.width % 16 !== 0) {
    // The CPU kernel takes no other head with a cache that grows in place (docs/decisions/model-runtime.md).
    throw appError(
      "architecture-not-supported",
      `Attention heads of ${config.headSize} values (${config.rotary.width} turned) cannot be run; multiples of 16 can.`,
    );
  }
  return config;
}
