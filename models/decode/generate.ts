import { throwIfAborted } from "../../core/errors.ts";
import { type PromptPart, type PromptReader, promptLength } from "../runtime/prompt-reader.ts";
import type { TokenFilter } from "./grammar/token-filter.ts";
import type { Sampler } from "./sampler.ts";

export interface GenerateRequest {
  readonly prompt: readonly PromptPart[];
  readonly sampler: Sampler;
  /** Any of these ends the answer; it is not part of it. */
  readonly stopIds: ReadonlySet<number>;
  readonly maxTokens: number;
  /** What the answer is held to, at its beginning; absent: nothing. It must be possible within `maxTokens`. */
  readonly filter?: TokenFilter;
}

export type GenerateEvent =
  | { readonly type: "prefilled"; readonly reused: number }
  | { readonly type: "token"; readonly id: number }
  | { readonly type: "stop"; readonly reason: "end" | "length" };

/** Reads the prompt and says one token after the other. @throws cancelled */
export async function* generate(
  reader: PromptReader,
  { prompt, sampler, stopIds, maxTokens, filter }: GenerateRequest,
  signal: AbortSignal,
): AsyncGenerator<GenerateEvent, void, void> {
  const length = promptLength(prompt);
  const read = await reader.read({ parts: prompt, rows: [length - 1] }, signal);
  yield { type: "prefilled", reused: read.reused };
  let { logits } = read;
  for (let said = 1; ; said += 1) {
    throwIfAborted(signal);
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
    logits = await reader.step(id, signal);
  }
}
