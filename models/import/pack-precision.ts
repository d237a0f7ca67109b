import type { Precision, PrecisionRule } from "./graph-weights.ts";

/**
 * How a pack keeps its weights: as imported, smaller at some cost (the embedded pack, which has a size limit), or whole
 * for comparisons. docs/decisions/weights.md has the table of choices that were measured.
 */
export type PackPrecision = "integer" | "compact" | "float32";

/** What a decoder keeps of the tokens that it has read. */
export type KeyValuePrecision = "float32" | "int8";

const isTokenMatrix = (source: string) =>
  source === "model.embed_tokens.weight" || source === "lm_head.weight";

export function importedPrecision(source: string, columns: number): Precision {
  return !isTokenMatrix(source) && columns % 32 === 0
    ? { type: "integer", bits: 4, block: 32, zero: "shifted" }
    : eightBits(source, columns);
}

/** Tokenizers number their tokens by how common they are: 94 % of the tokens of English text are below this. */
const commonTokens = 20_480;

export function compactPrecision(source: string, columns: number): Precision {
  return isTokenMatrix(source) && columns % 64 === 0
    ? { type: "integer", bits: 6, block: 64, zero: "symmetric", finerRows: commonTokens }
    : importedPrecision(source, columns);
}

/** Image encoders lose more with fewer bits and are small beside the language model. */
function eightBits(_source: string, columns: number): Precision {
  const block = [32, 16].find((size) => columns % size === 0);
  return block === undefined ? { type: "float32" } : { type: "integer", bits: 8, block, zero: "symmetric" };
}

const whole: PrecisionRule = () => ({ type: "float32" });

export function precisionRules(precision: PackPrecision): { language: PrecisionRule; vision: PrecisionRule } {
  if (precision === "float32") return { language: whole, vision: whole };
  return { language: precision === "compact" ? compactPrecision : importedPrecision, vision: eightBits };
}
