import { throwIfAborted } from "../../core/errors.ts";
import { type PromptPart, type PromptReader, promptIds, promptLength } from "../runtime/prompt-reader.ts";
import type { TokenFilter } from "./grammar/token-filter.ts";
import { PromptLookup } from "./prompt-lookup.ts";
import type { Sampler } from "./sampler.ts";

export interface GenerateRequest {
  readonly prompt: readonly PromptPart[];
  readonly sampler: Sampler;
  /** Any of these ends the answer; it is not part of it. */
  readonly stopIds: ReadonlySet<number>;
  readonly maxTokens: number;
  /** What the answer is held to, at its beginning; absent: nothing. It must be possible within `maxTokens`. */
  readonly filter?: TokenFilter;
  /** Several tokens a run where they can be guessed; absent: one token a run. */
  readonly lookup?: boolean;
}

export type GenerateEvent =
  | { readonly type: "prefilled"; readonly reused: number }
  | { readonly type: "token"; readonly id: number }
  | { readonly type: "stop"; readonly reason: "end" | "length" };

/** Logits that were computed for the next token and, in case the guessed ones come, for those after it. */
interface Ahead {
  /** float32 [guess + 1, vocabulary] */
  readonly logits: Float32Array;
  readonly guess: readonly number[];
  /** Guessed tokens that were said. */
  said: number;
}

/**
 * Reads the prompt and says one token after the other. Guessed tokens change no choice: the sampler picks each token
 * from the logits of its own place, with one random number a token, and a guess that it does not pick is forgotten.
 * @throws cancelled
 */
export async function* generate(
  reader: PromptReader,
  { prompt, sampler, stopIds, maxTokens, filter, lookup = false }: GenerateRequest,
  signal: AbortSignal,
): AsyncGenerator<GenerateEvent, void, void> {
  const length = promptLength(prompt);
  const read = await reader.read({ parts: prompt, rows: [length - 1] }, signal);
  yield { type: "prefilled", reused: read.reused };
  const guesses = lookup ? new PromptLookup(promptIds(prompt)) : null;
  const vocabulary = read.logits.length;
  let ahead: Ahead = { logits: read.logits, guess: [], said: 0 };
  for (let said = 1; ; said += 1) {
    throwIfAborted(signal);
    const logits = ahead.logits.subarray(ahead.said * vocabulary, (ahead.said + 1) * vocabulary);
    const id = sampler(filter ? filter.filter(logits, maxTokens - said + 1) : logits);
    if (stopIds.has(id)) {
      yield { type: "stop", reason: "end" };
      return;
    }
    yield { type: "token", id };
    filter?.push(id);
    const ended = filter?.hasEnded === true || (filter?.isWhole === true && said >= maxTokens);
    if (ended || said >= maxTokens) {
      yield { type: "stop", reason: ended ? "end" : "length" };
      return;
    }
    guesses?.push(id);
    if (id === ahead.guess[ahead.said]) {
      ahead.said += 1;
      continue;
    }
    guesses?.judge(ahead.guess.length, ahead.said);
    reader.forget(ahead.guess.length - ahead.said);
    const guess = guesses?.guess(Math.min(maxTokens - said, reader.room - 1)) ?? [];
    ahead = { logits: await reader.step([id, ...guess], signal), guess, said: 0 };
  }
}
