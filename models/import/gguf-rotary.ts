import { appError } from "../../core/errors.ts";
import type { GgufFile } from "./gguf-reader.ts";
import { yarnAmplitude, type RotaryConfig, type RotaryScaling } from "./rotary.ts";
import { rowLength } from "./tensor-source.ts";

/** A divisor for each frequency: how llama.cpp's converter writes Llama 3's scaling. */
const plainFactorTensor = "rope_freqs.weight";
const shortFactorTensor = "rope_factors_short.weight";
const longFactorTensor = "rope_factors_long.weight";

/** Tensors that hold divisors of rotary positions and are no weights. */
export const ropeFactorTensors: ReadonlySet<string> = new Set([
  plainFactorTensor,
  shortFactorTensor,
  longFactorTensor,
]);

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
  const long = await longRope(file, number);
  if (long !== null) {
    const { scaling, original } = long;
    return { rotary: { ...base, scaling }, context: Math.min(context, original) };
  }
  const factor = number("scaling.factor", number("scale_linear", 0)) || 1;
  const divisors = await divisorsOf(file, plainFactorTensor);
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

/**
 * LongRoPE as llama.cpp's converter writes it (Phi-3): two lists of divisors, and what cos and sin are multiplied by. The
 * list for short prompts is taken, and its context with it (hf-settings.ts says why). Null: another kind.
 */
async function longRope(
  file: GgufFile,
  number: (key: string, otherwise: number) => number,
): Promise<{ readonly scaling: RotaryScaling; readonly original: number } | null> {
  const short = await divisorsOf(file, shortFactorTensor);
  const long = await divisorsOf(file, longFactorTensor);
  if (short === null && long === null) return null;
  const [original, amplitude] = [
    number("scaling.original_context_length", 0),
    number("scaling.attn_factor", 0),
  ];
  if (short === null || long?.length !== short.length || original < 1 || amplitude <= 0) {
    throw appError(
      "model-file-damaged",
      "The GGUF file lacks a list of divisors, the original context or the factor of its LongRoPE.",
    );
  }
  return { scaling: { type: "listed", divisors: short, amplitude }, original };
}

async function divisorsOf(file: GgufFile, name: string): Promise<readonly number[] | null> {
  const info = file.tensors.get(name);
  if (info === undefined) return null;
  if (info.shape.length !== 1 || rowLength(info) > 4096) {
    throw appError("model-file-damaged", `The tensor ${name} has another shape than it can have.`);
  }
  return [...(await file.readRows(name, { first: 0, count: 1 }))];
}
