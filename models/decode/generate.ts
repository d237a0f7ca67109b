import { throwIfAborted } from "../../core/errors.ts";
import { type PromptPart, type PromptReader, promptLength } from "../runtime/prompt-reader.ts";
import type { Sampler } from "./sampler.ts";

export interface GenerateRequest {
  readonly prompt: readonly PromptPart[];
  readonly sampler: Sampler;
  /** Any of these ends the answer; it is not part of it. */
  readonly stopIds: ReadonlySet<number>;
  readonly maxTokens: number;
}

export type GenerateEvent =
  | { readonly type: "prefilled"; readonly reused: number }
  | { readonly type: "token"; readonly id: number }
  | { readonly type: "stop"; readonly reason: "end" | "length" };

/** Reads the prompt and says one token after the other. @throws cancelled */
export async function* generate(
  reader: PromptReader,
  { prompt, sampler, stopIds, maxTokens }: GenerateRequest,
  signal: AbortSignal,
): AsyncGenerator<GenerateEvent, void, void> {
  const length = promptLength(prompt);
  const ids: number[] = [];
  for (;;) {
    const parts: PromptPart[] = [...prompt, { type: "text", ids }];
    const { logits, reused } = await reader.read({ parts, rows: [length + ids.length - 1] }, signal);
    if (ids.length === 0) yield { type: "prefilled", reused };
    throwIfAborted(signal);
    const id = sampler(logits);
    if (stopIds.has(id)) {
      yield { type: "stop", reason: "end" };
      return;
    }
    ids.push(id);
    yield { type: "token", id };
    if (ids.length >= maxTokens) {
      yield { type: "stop", reason: "length" };
      return;
    }
  }
}
