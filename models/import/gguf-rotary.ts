import { appError } from "../../core/errors.ts";
import type { GgufFile } from "./gguf-reader.ts";
import { yarnAmplitude, type RotaryConfig, type RotaryScaling } from "./rotary.ts";
import { rowLength } from "./tensor-source.ts";

/** A divisor for each frequency: how llama.cpp's converter writes Llama 3's scaling. */
export const ropeFactorTensor = "rope_freqs.weight";

export interface GgufRotary {
  readonly rotary: RotaryConfig;
  /** Tokens; what the scaling makes of `context`. */
  readonly context: number;
}

export interface GgufRotaryInput {
  /** Before the keys, e.g. "llama". */
  readonly prefix: string;
  readonly headSize: number;
  /** Tokens. */
  readonly context: number;
}

/**
 * The rotary positions of a GGUF file, read as llama.cpp reads them. A scaled one taken for a plain one would answer
 * fluently and wrongly, so that what is not known is refused.
 * @throws architecture-not-supported, model-file-damaged
 */
export async function ggufRotary(
  file: GgufFile,
  { prefix, headSize, context }: GgufRotaryInput,
): Promise<GgufRotary> {
  const number = (key: string, otherwise: number): number => {
    const value = file.metadata.get(`${prefix}.rope.${key}`) ?? otherwise;
    if (typeof value === "number") return value;
    throw appError("model-file-damaged", `The GGUF file has a wrong value at ${prefix}.rope.${key}.`);
  };
  const base = {
    theta: number("freq_base", 10_000),
    width: number("dimension_count", headSize),
  };
  const factor = number("scaling.factor", number("scale_linear", 0)) || 1;
  const divisors = await listedDivisors(file);
  // Where nothing is said, a factor means the linear kind.
  const type = file.metadata.get(`${prefix}.rope.scaling.type`) ?? "linear";
  if (type === "yarn" && divisors === null && number("scaling.yarn_ext_factor", 1) === 1) {
    const original = number("scaling.original_context_length", context);
    const scaling: RotaryScaling = {
      type: "yarn",
      factor,
      betaFast: number("scaling.yarn_beta_fast", 32),
      betaSlow: number("scaling.yarn_beta_slow", 1),
      originalContext: original,
      wholePlaces: true,
      amplitude:
        yarnAmplitude(factor) * number("scaling.attn_factor", 1) * number("scaling.yarn_attn_factor", 1),
    };
    return { rotary: { ...base, scaling }, context: Math.max(context, Math.floor(factor * original)) };
  }
  if (type !== "linear" && type !== "none") {
    throw appError(
      "architecture-not-supported",
      `Rotary positions scaled by "${String(type).slice(0, 50)}" cannot be imported from this GGUF file.`,
    );
  }
  return { rotary: { ...base, scaling: plainScaling(type === "linear" ? factor : 1, divisors) }, context };
}

function plainScaling(factor: number, divisors: readonly number[] | null): RotaryScaling {
  if (divisors !== null) {
    return { type: "listed", divisors: divisors.map((divisor) => divisor * factor), amplitude: 1 };
  }
  return factor === 1 ? { type: "none" } : { type: "linear", factor };
}

async function listedDivisors(file: GgufFile): Promise<readonly number[] | null> {
  const other = ["rope_factors_long.weight", "rope_factors_short.weight"].find((name) =>
    file.tensors.has(name),
  );
  if (other !== undefined) {
    throw appError("architecture-not-supported", "LongRoPE cannot be imported from a GGUF file.");
  }
  const info = file.tensors.get(ropeFactorTensor);
  if (info === undefined) return null;
  if (info.shape.length !== 1 || rowLength(info) > 4096) {
    throw appError(
      "model-file-damaged",
      `The tensor ${ropeFactorTensor} has another shape than it can have.`,
    );
  }
  return [...(await file.readRows(ropeFactorTensor, { first: 0, count: 1 }))];
}
