import { median, threeDigits } from "../../core/figures.ts";
import type { Figures } from "./peers.ts";

/** The medians of what several rounds measured; a figure that a round lacks counts in the others. */
export function medians(rounds: readonly Figures[]): Figures {
  const names = [...new Set(rounds.flatMap((round) => Object.keys(round)))];
  return Object.fromEntries(
    names.map((name) => [name, threeDigits(median(rounds.flatMap((round) => round[name] ?? [])))]),
  );
}

/**
 * How many times as fast the first engine is, for each figure that both have: above 1 it is ahead, whether the figure
 * is a speed (tokens a second) or a time. Memory is no speed and left out.
 */
export function ratios(ours: Figures, theirs: Figures): Figures {
  const shared = Object.keys(ours).filter((name) => Object.hasOwn(theirs, name) && !name.endsWith("_mb"));
  return Object.fromEntries(
    shared.map((name) => {
      const [a, b] = [ours[name]!, theirs[name]!];
      return [name, threeDigits(name.endsWith("_ms") ? b / a : a / b)];
    }),
  );
}
