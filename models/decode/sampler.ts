import { seededRandom } from "./random.ts";

export interface SamplingOptions {
  /** 0 is greedy. */
  readonly temperature: number;
  /** The smallest set of tokens whose probability reaches this is drawn from; 1 is all. */
  readonly topP: number;
  readonly seed: number;
}

/** Picks a token id from the logits of one row, float32 [vocabulary]. */
export type Sampler = (logits: Float32Array) => number;

/**
 * Greedy or top-p (nucleus, Holtzman et al. 2020). Equal logits fall to the lower id. The same options give the
 * same choices for the same logits: the random numbers are integers' work and Math.exp is V8's own everywhere.
 */
export function createSampler(options: SamplingOptions): Sampler {
  if (options.temperature === 0) return greedy;
  const random = seededRandom(options.seed);
  return (logits) => sampleTopP(logits, options, random());
}

export function greedy(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id += 1) if (logits[id]! > logits[best]!) best = id;
  return best;
}

function sampleTopP(logits: Float32Array, options: SamplingOptions, draw: number): number {
  const highest = logits[greedy(logits)]!;
  const weights = new Float64Array(logits.length);
  let total = 0;
  for (let id = 0; id < logits.length; id += 1) {
    weights[id] = Math.exp((logits[id]! - highest) / options.temperature);
    total += weights[id]!;
  }
  const order = candidates(weights, options.topP * total);
  const kept = order.reduce((sum, id) => sum + weights[id]!, 0);
  let left = draw * kept;
  for (const id of order) {
    left -= weights[id]!;
    if (left < 0) return id;
  }
  return order.at(-1)!;
}

/** The likeliest ids, most likely first, whose weights together reach `wanted`. */
function candidates(weights: Float64Array, wanted: number): number[] {
  const ids = Array.from({ length: weights.length }, (_, id) => id).filter((id) => weights[id]! > 0);
  ids.sort((a, b) => weights[b]! - weights[a]! || a - b);
  let sum = 0;
  const end = ids.findIndex((id) => (sum += weights[id]!) >= wanted);
  return end < 0 ? ids : ids.slice(0, end + 1);
}
