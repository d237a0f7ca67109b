import type { TextTokenizer } from "../text/tokenizer.ts";
import type { PromptPart, PromptReader } from "../runtime/prompt-reader.ts";
import { logSumExp } from "./log-probability.ts";
import { scoreContinuations } from "./score.ts";

export interface ChoiceRequest {
  readonly prompt: readonly PromptPart[];
  readonly choices: readonly string[];
  readonly tokenizer: TextTokenizer;
  readonly vocabulary: number;
}

export interface ChosenAnswer {
  /** As the caller wrote it. */
  readonly choice: string;
  readonly tokens: number;
  /** Tokens of the prompt that were not read again. */
  readonly reused: number;
  readonly prefillMs: number;
  /** Of each choice against all others together, nats. */
  readonly logOdds: readonly number[];
}

/**
 * A choice as the model says it: a capital first and a full stop. The stop also keeps a choice that is the beginning
 * of another ("no", "no finding") from always being likelier.
 */
export function writtenChoice(choice: string): string {
  const text = choice.trim();
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

/** The likeliest of the given answers, by the probability of its whole text; the first of equals. */
export async function chooseAnswer(
  reader: PromptReader,
  { prompt, choices, tokenizer, vocabulary }: ChoiceRequest,
  signal: AbortSignal,
): Promise<ChosenAnswer> {
  const started = performance.now();
  const { reused } = await reader.read({ parts: prompt, rows: [] }, signal);
  const prefillMs = performance.now() - started;
  const continuations = choices.map((choice) => tokenizer.encode(writtenChoice(choice)));
  const scores = await scoreContinuations(reader, { prompt, continuations, vocabulary }, signal);
  const totals = scores.map((score) => score.reduce((sum, nats) => sum + nats, 0));
  const logOdds = totals.map(
    (total, index) => total - logSumExp(totals.filter((_, other) => other !== index)),
  );
  const best = totals.indexOf(Math.max(...totals));
  return { choice: choices[best]!, tokens: continuations[best]!.length, reused, prefillMs, logOdds };
}
