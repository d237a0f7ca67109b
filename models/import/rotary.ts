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
  /** YaRN (arXiv 2309.00071): fast waves are kept, slow ones stretched, with a ramp over their places between. */
  | {
      readonly type: "yarn";
      readonly factor: number;
      /** Turns within the original context: more of them are kept, fewer are stretched. */
      readonly betaFast: number;
      readonly betaSlow: number;
      /** Tokens. */
      readonly originalContext: number;
      /** The ramp begins and ends at whole places. */
      readonly wholePlaces: boolean;
      /** What cos and sin are multiplied by. */
      readonly amplitude: number;
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
    case "yarn":
      return yarnFrequencies(plain, { theta, width, scaling });
    case "listed":
      return plain.map((frequency, i) => frequency / (scaling.divisors[i] as number));
  }
}

export function rotaryAmplitude({ scaling }: RotaryConfig): number {
  return scaling.type === "listed" || scaling.type === "yarn" ? scaling.amplitude : 1;
}

/** What YaRN multiplies cos and sin by where nothing else is said. */
export function yarnAmplitude(factor: number, weight = 1): number {
  return factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1;
}

type Yarn = Extract<RotaryScaling, { type: "yarn" }>;

function yarnFrequencies(
  plain: Float32Array,
  { theta, width, scaling }: { readonly theta: number; readonly width: number; readonly scaling: Yarn },
): Float32Array {
  const place = (turns: number) =>
    (width * Math.log(scaling.originalContext / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const [fast, slow] = [place(scaling.betaFast), place(scaling.betaSlow)];
  const low = Math.max(scaling.wholePlaces ? Math.floor(fast) : fast, 0);
  const high = Math.min(scaling.wholePlaces ? Math.ceil(slow) : slow, width - 1);
  const length = high === low ? 0.001 : high - low;
  return plain.map((frequency, i) => {
    const stretched = Math.min(1, Math.max(0, (i - low) / length));
    return (frequency / scaling.factor) * stretched + frequency * (1 - stretched);
  });
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
  const fits = scaling.type !== "listed" || scaling.divisors.length === width / 2;
  if (!(theta > 1 && theta < 1e12) || !numbersOf(scaling).every(positive) || !fits || !isOrdered(scaling)) {
    throw appError("model-file-damaged", "The model's rotary positions contradict its other settings.");
  }
  if (!Number.isInteger(width) || width < 2 || width > headSize || width % 2 !== 0) {
    throw appError(
      "model-file-damaged",
      "The model's settings give an impossible width of rotary positions.",
    );
  }
}

function numbersOf(scaling: RotaryScaling): readonly number[] {
  switch (scaling.type) {
    case "none":
      return [];
    case "linear":
      return [scaling.factor];
    case "llama3":
      return [scaling.factor, scaling.lowFrequency, scaling.highFrequency, scaling.originalContext];
    case "yarn":
      return [scaling.factor, scaling.betaFast, scaling.betaSlow, scaling.originalContext, scaling.amplitude];
    case "listed":
      return [...scaling.divisors, scaling.amplitude];
  }
}

function isOrdered(scaling: RotaryScaling): boolean {
  if (scaling.type === "llama3") return scaling.highFrequency > scaling.lowFrequency;
  return scaling.type !== "yarn" || scaling.betaFast > scaling.betaSlow;
}
