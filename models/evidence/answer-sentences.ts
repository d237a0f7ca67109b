import { type SentenceSpan, splitSentences } from "../text/sentences.ts";
import { contentWords } from "./content-tokens.ts";
import { statesAbsence } from "./negation.ts";
import { afterPolarWord, isPolarQuestion, polarWord } from "./polar.ts";

/** Words with which a finding is stated, without naming another one. */
const stating = new Set(
  "seen visible present noted identified shown shows found evident likely suspicious suspected looks appears appear no not none".split(
    " ",
  ),
);

/**
 * The sentences of an answer that are tested one by one. A bare "Yes." and the sentence behind it that says the same in
 * full are one statement (docs/grounding.md, GRD-5): apart, the second would be tested as if the first had not been
 * said, and the two could come out differently. A sentence that says more than was asked, or the opposite, stays apart.
 */
export function answerSentences(text: string, question: string): SentenceSpan[] {
  const spans = splitSentences(text);
  if (!isPolarQuestion(question)) return spans;
  const at = spans.findIndex((span) => polarWord(span.text) !== null);
  const word = spans[at];
  const full = spans[at + 1];
  if (word === undefined || full === undefined || afterPolarWord(word.text) !== "") return spans;
  if (!saysAgain({ word: word.text, full: full.text, question })) return spans;
  const { start } = word;
  const { end } = full;
  return spans.toSpliced(at, 2, { text: text.slice(start, end), start, end });
}

interface Said {
  readonly word: string;
  readonly full: string;
  readonly question: string;
}

function saysAgain({ word, full, question }: Said): boolean {
  if (statesAbsence(word, question) !== statesAbsence(full, question)) return false;
  const asked = wordsOf(question);
  return wordsOf(full).every((said) => stating.has(said) || asked.some((other) => sameStem(said, other)));
}

function wordsOf(text: string): string[] {
  return contentWords(text).map(({ start, end }) => text.slice(start, end).toLowerCase());
}

/** "malignancy" and "malignant", "mass" and "masses"; not "pneumonia" and "pneumothorax". */
function sameStem(one: string, other: string): boolean {
  return (
    one.startsWith(other) ||
    other.startsWith(one) ||
    (one.length > 7 && one.slice(0, 8) === other.slice(0, 8))
  );
}
