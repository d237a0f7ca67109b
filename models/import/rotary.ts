import { appError } from "../../core/errors.ts";

/** Rotary positions of one kind of layer (Su et al., arXiv 2104.09864), after any scaling for longer contexts. */
export interface RotaryConfig {
  readonly theta: number;
  /** Values of a head that are turned, from its first on. */
  readonly width: number;
  readonly scaling: RotaryScaling;
}

export type RotaryScaling =
  | { readonly type: "none" }
  | { readonly type: "linear"; readonly factor: number }
  /** Llama 3.1: long waves are stretched, short ones kept, those between blended. */
  | {
      readonly type: "llama3";
      readonly factor: number;
      readonly lowFrequency: number;
      readonly highFrequency: number;
      /** Tokens. */
      readonly originalContext: number;
    }
  /** A divisor for each frequency (LongRoPE; GGUF's rope_freqs), and what cos and sin are multiplied by. */
  | { readonly type: "listed"; readonly divisors: readonly number[]; readonly amplitude: number };

/** Radians a token, [width ÷ 2]. Computed in float32 steps as PyTorch does, so that far positions agree. */
export function rotaryFrequencies({ theta, width, scaling }: RotaryConfig): Float32Array {
  const plain = Float32Array.from({ length: width / 2 }, (_, i) => 1 / theta ** ((2 * i) / width));
  switch (scaling.type) {
    case "none":
      return plain;
    case "linear":
      return plain.map((frequency) => frequency / scaling.factor);
    case "llama3":
      return plain.map((frequency) => llama3Frequency(frequency, scaling));
    case "listed":
      return plain.map((frequency, i) => frequency / (scaling.divisors[i] as number));
  }
}

export function rotaryAmplitude({ scaling }: RotaryConfig): number {
  return scaling.type === "listed" ? scaling.amplitude : 1;
}

function llama3Frequency(
  frequency: number,
  { factor, lowFrequency, highFrequency, originalContext }: Extract<RotaryScaling, { type: "llama3" }>,
): number {
  const wave = (2 * Math.PI) / frequency;
  if (wave < originalContext / highFrequency) return frequency;
  if (wave > originalContext / lowFrequency) return frequency / factor;
  const smooth = (originalContext / wave - lowFrequency) / (highFrequency - lowFrequency);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

/** @throws model-file-damaged */
export function checkRotary({ theta, width, scaling }: RotaryConfig, headSize: number): void {
  const positive = (value: number) => Number.isFinite(value) && value > 0 && value < 1e12;
  const numbers =
    scaling.type === "none"
      ? []
      : scaling.type === "listed"
        ? [...scaling.divisors, scaling.amplitude]
        : scaling.type === "linear"
          ? [scaling.factor]
          : [scaling.factor, scaling.lowFrequency, scaling.highFrequency, scaling.originalContext];
  const fits = scaling.type !== "listed" || scaling.divisors.length === width / 2;
  const ordered = scaling.type !== "llama3" || scaling.highFrequency > scaling.lowFrequency;
  if (!(theta > 1 && theta < 1e12) || !numbers.every(positive) || !fits || !ordered) {
    throw appError("model-file-damaged", "The model's rotary positions contradict its other settings.");
  }
  if (!Number.isInteger(width) || width < 2 || width > headSize || width % 2 !== 0) {
    throw appError(
      "model-file-damaged",
      "The model's settings give an impossible width of rotary positions.",
    );
  }
}
