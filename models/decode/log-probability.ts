/**
 * The natural logarithm of softmax(row)[id], in nats. `logits` is float32 [rows, vocabulary].
 * Sums in double precision, so that the order of the vocabulary does not show.
 */
export function logProbability(
  logits: Float32Array,
  vocabulary: number,
  at: { row: number; id: number },
): number {
  const start = at.row * vocabulary;
  return logits[start + at.id]! - logSumExp(logits.subarray(start, start + vocabulary));
}

/** Less than this part of the largest term, exp(-30), changes no sum over a vocabulary by 1e-7 nats. */
const negligible = -30;

export function logSumExp(values: Float32Array | readonly number[]): number {
  let highest = -Infinity;
  for (let i = 0; i < values.length; i += 1) if (values[i]! > highest) highest = values[i]!;
  if (highest === -Infinity) return -Infinity;
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) {
    const below = values[i]! - highest;
    if (below > negligible) sum += Math.exp(below);
  }
  return highest + Math.log(sum);
}
