import type { PackWeights } from "../../core/model-pack.ts";
import type { Precision, PrecisionRule } from "./graph-weights.ts";

/**
 * How a pack keeps its weights: 4 bits ("integer"), 4 with 8 for the layers that lose most ("mixed"), 8 ("bytes"),
 * 16 for graphics cards ("half"), smaller at some cost ("compact": the embedded pack, which has a size limit), or whole
 * for comparisons. docs/decisions/weights.md has the table of choices that were measured.
 */
export type PackPrecision = "integer" | "mixed" | "bytes" | "half" | "compact" | "float32";

/** As users name the choices. */
export const precisionOfWeights = {
  "4bit": "integer",
  "4bit-mixed": "mixed",
  "8bit": "bytes",
  "16bit": "half",
} as const satisfies Record<PackWeights, PackPrecision>;

/** What a decoder keeps of the tokens that it has read. */
export type KeyValuePrecision = "float32" | "int8";

const embedding = "model.embed_tokens.weight";
const isTokenMatrix = (source: string) => source === embedding || source === "lm_head.weight";

export function importedPrecision(source: string, columns: number, storedAs?: string): Precision {
  if (isTokenMatrix(source) || columns % 32 !== 0) return eightBits(source, columns);
  // Blocks of Q4_0 have a whole zero already; for all others the mean that its rounding takes from them costs much.
  const zero = storedAs === "Q4_0" ? "asymmetric" : "shifted";
  return { type: "integer", bits: 4, block: 32, zero };
}

/**
 * 8 bits for what carries values (queries, keys and values are one matrix here) and for the way back out of the middle,
 * in the first and last eighth of the layers and every third between: the choice of llama.cpp's Q4_K_M.
 */
export function mixedPrecision(layers: number): PrecisionRule {
  const eighth = Math.floor(layers / 8);
  return (source, columns, storedAs) => {
    const match = /\.layers\.(\d+)\.(?:self_attn\.(?:q_proj|qkv_proj)|mlp\.down_proj)\./.exec(source);
    const layer = Number(match?.[1]);
    const edge = layer < eighth || layer >= layers - Math.max(eighth, 1);
    return match !== null && (edge || (layer - eighth) % 3 === 2)
      ? eightBits(source, columns)
      : importedPrecision(source, columns, storedAs);
  };
}

/** Tokenizers number their tokens by how common they are: 94 % of the tokens of English text are below this. */
const commonTokens = 20_480;

export function compactPrecision(source: string, columns: number, storedAs?: string): Precision {
  return isTokenMatrix(source) && columns % 64 === 0
    ? { type: "integer", bits: 6, block: 64, zero: "symmetric", finerRows: commonTokens }
    : importedPrecision(source, columns, storedAs);
}

/** Image encoders lose more with fewer bits and are small beside the language model. */
function eightBits(_source: string, columns: number): Precision {
  const block = [32, 16].find((size) => columns % size === 0);
  return block === undefined ? { type: "float32" } : { type: "integer", bits: 8, block, zero: "symmetric" };
}

/** Rows of the token embedding are looked up one by one; all else is multiplied. */
const half: PrecisionRule = (source) => ({ type: "float16", turned: source !== embedding });

const whole: PrecisionRule = () => ({ type: "float32" });

/** `layers`: of the decoder. */
export function precisionRules(
  precision: PackPrecision,
  layers: number,
): { language: PrecisionRule; vision: PrecisionRule } {
  switch (precision) {
    case "float32":
      return { language: whole, vision: whole };
    case "integer":
      return { language: importedPrecision, vision: eightBits };
    case "mixed":
      return { language: mixedPrecision(layers), vision: eightBits };
    case "bytes":
      return { language: eightBits, vision: eightBits };
    case "half":
      return { language: half, vision: half };
    case "compact":
      return { language: compactPrecision, vision: eightBits };
  }
}
