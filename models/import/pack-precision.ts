import type { Precision, PrecisionRule } from "./graph-weights.ts";

/** How a pack keeps its weights: as shipped, or whole for comparisons. */
export type PackPrecision = "integer" | "float32";

/** docs/decisions/weights.md has the table of choices that were measured. */
export function shippedPrecision(source: string, columns: number): Precision {
  const tokens = source === "model.embed_tokens.weight" || source === "lm_head.weight";
  if (tokens && columns % 64 === 0) return { type: "integer", bits: 6, block: 64, zero: "symmetric" };
  if (!tokens && columns % 32 === 0) return { type: "integer", bits: 4, block: 32, zero: "shifted" };
  return eightBits(source, columns);
}

/** Image encoders lose more with fewer bits and are small beside the language model. */
function eightBits(_source: string, columns: number): Precision {
  const block = [32, 16].find((size) => columns % size === 0);
  return block === undefined ? { type: "float32" } : { type: "integer", bits: 8, block, zero: "symmetric" };
}

const whole: PrecisionRule = () => ({ type: "float32" });

export function precisionRules(precision: PackPrecision): { language: PrecisionRule; vision: PrecisionRule } {
  return precision === "float32"
    ? { language: whole, vision: whole }
    : { language: shippedPrecision, vision: eightBits };
}
