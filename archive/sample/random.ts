/** Numbers in 0..1 that depend on the seed alone, on every machine (mulberry32). */
export type Random = () => number;

export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Normal distribution, mean 0 and deviation 1, by the sum of uniform numbers: quick, and without tails. */
export function normal(random: Random): number {
  return (random() + random() + random() + random() - 2) * 1.732;
}
