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

export function logSumExp(values: Float32Array | readonly number[]): number {
  let highest = -Infinity;
  for (const value of values) if (value > highest) highest = value;
  if (highest === -Infinity) return -Infinity;
  let sum = 0;
  for (const value of values) sum += Math.exp(value - highest);
  return highest + Math.log(sum);
}
