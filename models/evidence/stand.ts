import { contradictionOf } from "./contradiction.ts";
import { meanContentLogProbability } from "./content-tokens.ts";
import type { Continuation, ContinuationScore } from "./model-access.ts";
import { statesAbsence } from "./negation.ts";
import { isPolarQuestion, polarWord } from "./polar.ts";
import { standsAlone } from "./stands-alone.ts";

/**
 * L(I): how much the model stands behind a sentence, teacher-forced, in nats (docs/grounding.md, GRD-4 to GRD-8).
 * A plan lists once every text that has to be scored for an answer; one re-encoded image then scores them all.
 */
export type StandForm = "choices" | "contradiction" | "content";

/** Indices into `StandPlan.continuations`. L = own against the others; no others: the mean over content tokens. */
interface Comparison {
  readonly own: number;
  readonly others: readonly number[];
}

export interface PlannedSentence {
  readonly text: string;
  readonly form: StandForm;
  readonly given: Comparison;
  readonly alone: Comparison;
  /** Support uses L alone where the sentence stands alone, else L given the earlier ones (GRD-8). */
  readonly usesAlone: boolean;
  /** The sentence states that a finding is absent (GRD-2). */
  readonly absence: boolean;
}

export interface StandPlan {
  readonly continuations: readonly Continuation[];
  readonly sentences: readonly PlannedSentence[];
}

/** Nats. */
export interface Stand {
  readonly given: number;
  readonly alone: number;
}

export interface AnswerText {
  readonly question: string;
  readonly choices: readonly string[] | null;
  readonly answer: {
    readonly text: string;
    readonly sentences: readonly { readonly text: string; readonly start: number; readonly end: number }[];
  };
}

export function planStand({ question, choices, answer }: AnswerText): StandPlan {
  const continuations: Continuation[] = [];
  const add = (prefix: string, text: string): number => {
    const known = continuations.findIndex((other) => other.prefix === prefix && other.text === text);
    return known >= 0 ? known : continuations.push({ prefix, text }) - 1;
  };

  const answering = answerChoices(question, choices, answer.sentences);
  const sentences = answer.sentences.map((sentence, index): PlannedSentence => {
    const prefix = answer.text.slice(0, sentence.start).trimEnd();
    const space = answer.text.slice(prefix.length, sentence.start);
    const compared = answering?.index === index ? answering.texts : contradicted(sentence.text);
    const compare = (before: string, blank: string): Comparison => ({
      own: add(before, blank + compared.own),
      others: compared.others.map((text) => add(before, blank + text)),
    });
    return {
      text: sentence.text,
      form: compared.form,
      given: compare(prefix, prefix === "" ? "" : space),
      alone: compare("", ""),
      usesAlone: standsAlone(sentence.text),
      absence: statesAbsence(sentence.text, question),
    };
  });
  return { continuations, sentences };
}

/**
 * The same sentences with the one form of L that support uses, as given and as alone: what the search needs of each
 * changed image, with fewer texts to score.
 */
export function supportPlan(plan: StandPlan): StandPlan {
  const kept: Continuation[] = [];
  const keep = (index: number): number => {
    const continuation = plan.continuations[index]!;
    const known = kept.indexOf(continuation);
    return known >= 0 ? known : kept.push(continuation) - 1;
  };
  const sentences = plan.sentences.map((sentence) => {
    const { own, others } = sentence.usesAlone ? sentence.alone : sentence.given;
    const compared = { own: keep(own), others: others.map(keep) };
    return { ...sentence, given: compared, alone: compared };
  });
  return { continuations: kept, sentences };
}

/** One Stand a sentence, from the scores of one alternative. */
export function standsOf(plan: StandPlan, scores: readonly ContinuationScore[]): Stand[] {
  const measure = ({ own, others }: Comparison): number => {
    if (others.length === 0) return meanContentLogProbability(plan.continuations[own]!.text, scores[own]!);
    return total(scores[own]!) - logSumExp(others.map((other) => total(scores[other]!)));
  };
  return plan.sentences.map(({ given, alone }) => ({ given: measure(given), alone: measure(alone) }));
}

/** The one of the two that support and the evidence map use. */
export function supportNats(sentence: PlannedSentence, stand: Stand): number {
  return sentence.usesAlone ? stand.alone : stand.given;
}

interface Compared {
  readonly form: StandForm;
  readonly own: string;
  readonly others: readonly string[];
}

function contradicted(text: string): Compared {
  const opposite = contradictionOf(text);
  if (opposite === null) return { form: "content", own: text, others: [] };
  return { form: "contradiction", own: text, others: [opposite] };
}

/** Which sentence gives the answer to a question with choices (or a polar one), and what else it could have been. */
function answerChoices(
  question: string,
  choices: readonly string[] | null,
  sentences: AnswerText["answer"]["sentences"],
): { index: number; texts: Compared } | null {
  if (choices !== null) {
    const byLength = choices.toSorted((a, b) => b.length - a.length);
    for (const [index, { text }] of sentences.entries()) {
      const given = byLength.find((choice) => startsWithChoice(text, choice));
      if (given !== undefined) return { index, texts: comparedChoices(text, given, choices) };
    }
    return null;
  }
  if (!isPolarQuestion(question)) return null;
  const index = sentences.findIndex(({ text }) => polarWord(text) !== null);
  if (index < 0) return null;
  const { text } = sentences[index]!;
  return { index, texts: comparedChoices(text, polarWord(text)!, ["Yes", "No"]) };
}

function startsWithChoice(sentence: string, choice: string): boolean {
  if (!sentence.trimStart().toLowerCase().startsWith(choice.trim().toLowerCase())) return false;
  const next = sentence.trimStart().charAt(choice.trim().length);
  return next === "" || !/[\p{L}\p{N}]/u.test(next);
}

/**
 * The other choices are written as the answer is: same first letter case, and the full stop that ends the answer where
 * one choice is the beginning of another ("no", "no finding") and would else always be likelier.
 */
function comparedChoices(sentence: string, given: string, choices: readonly string[]): Compared {
  const own = sentence.trim();
  const rest = own.slice(given.trim().length);
  const plain = choices.map((choice) => choice.trim().toLowerCase());
  const nested = plain.some((one, index) => plain.some((other, at) => at !== index && other.startsWith(one)));
  const stop = nested && /^[.!]*$/.test(rest) ? rest : "";
  const capital = /^\p{Lu}/u.test(own);
  const written = (choice: string) => {
    const text = choice.trim();
    return `${capital ? text.charAt(0).toUpperCase() : text.charAt(0).toLowerCase()}${text.slice(1)}${stop}`;
  };
  const same = (choice: string) => choice.trim().toLowerCase() === given.trim().toLowerCase();
  return {
    form: "choices",
    own: own.slice(0, given.trim().length) + stop,
    others: choices.filter((choice) => !same(choice)).map(written),
  };
}

function total(score: ContinuationScore): number {
  return score.reduce((sum, token) => sum + token.logProbability, 0);
}

function logSumExp(values: readonly number[]): number {
  const largest = Math.max(...values);
  return largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
}
