import { appError } from "../../core/errors.ts";

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
  readonly ropeTheta: number;
  readonly normEpsilon: number;
  readonly tiedEmbedding: boolean;
}

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
  const positive =
    config.normEpsilon > 0 && config.normEpsilon < 1 && config.ropeTheta > 1 && config.ropeTheta < 1e12;
  if (!positive || config.heads % config.kvHeads !== 0 || config.headSize % 2 !== 0) {
    throw appError("model-file-damaged", "The model's settings contradict each other.");
  }
  return config;
}
