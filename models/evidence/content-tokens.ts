import type { ContinuationScore } from "./model-access.ts";

/**
 * Which tokens count in the mean log-probability form of L (docs/grounding.md, GRD-7): those that touch a word
 * which carries meaning. Numbers count; negations count (they change what is said); articles and the like do not.
 */
const functionWords = new Set(
  "a an the this that these those there here it its they them is are was were be been being am do does did has have had having will would can could may might shall should must of in on at to for from by with as and or but if than then so such also very".split(
    " ",
  ),
);

/** UTF-16 ranges of the words that count. */
export function contentWords(text: string): { start: number; end: number }[] {
  const words: { start: number; end: number }[] = [];
  for (const match of text.matchAll(/[\p{L}\p{N}]+(?:['’.-][\p{L}\p{N}]+)*/gu)) {
    if (!functionWords.has(match[0].toLowerCase())) {
      words.push({ start: match.index, end: match.index + match[0].length });
    }
  }
  return words;
}

/** Mean natural logarithm of the probability of the content tokens; of all tokens where none counts. */
export function meanContentLogProbability(text: string, score: ContinuationScore): number {
  const words = contentWords(text);
  const counted = score.filter((token) =>
    words.some((word) => token.start < word.end && token.end > word.start),
  );
  const tokens = counted.length > 0 ? counted : score;
  if (tokens.length === 0) return 0;
  return tokens.reduce((sum, token) => sum + token.logProbability, 0) / tokens.length;
}
