/** How far an engine's distributions are from float32's. */
export interface Distance {
  /** Nats, root mean square over the likeliest five tokens of each step, their common shift taken out. */
  readonly likeliest_five: number;
  /** Kullback-Leibler divergence, nats, mean over the steps. */
  readonly divergence: number;
}

const likeliest = 5;

/** `exact` and `other`: natural logarithms of the next token's probabilities, one row of the vocabulary a step. */
export function distanceOf(exact: readonly Float32Array[], other: readonly Float32Array[]): Distance {
  let squares = 0;
  let divergence = 0;
  for (const [step, row] of exact.entries()) {
    const given = other[step]!;
    const differences = largest(row).map((token) => given[token]! - row[token]!);
    const shift = differences.reduce((sum, one) => sum + one, 0) / likeliest;
    squares += differences.reduce((sum, one) => sum + (one - shift) ** 2, 0);
    divergence += row.reduce((sum, value, token) => sum + Math.exp(value) * (value - given[token]!), 0);
  }
  return {
    likeliest_five: Math.sqrt(squares / (likeliest * exact.length)),
    divergence: divergence / exact.length,
  };
}

function largest(row: Float32Array): number[] {
  return Array.from(row.keys())
    .toSorted((a, b) => row[b]! - row[a]!)
    .slice(0, likeliest);
}
