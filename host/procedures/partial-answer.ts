import type { PackSummary } from "../../core/model-pack.ts";
import type { Answer, AnswerEvent, Question, Scope, Sentence } from "../../core/question.ts";

/** What of a stopped answer is worth keeping: the text so far, and the sentences with what was tested of them. */
export interface PartialAnswer {
  add(event: AnswerEvent): void;
  /** Null while nothing was said yet. */
  answer(made: { pack: PackSummary; provider: string }): Answer | null;
}

const stoppedWarning = "Stopped before the end. What was not tested is marked so.";

export function createPartialAnswer(question: Question): PartialAnswer {
  const started = performance.now();
  let text = "";
  let tokens = 0;
  let firstTokenMs = 0;
  let scope: Scope = { status: "not-assessed", reason: "" };
  let warnings: readonly string[] = [];
  const sentences: Sentence[] = [];

  return {
    add(event) {
      if (event.type === "accepted") ({ scope, warnings } = event);
      else if (event.type === "token") {
        if (tokens === 0) firstTokenMs = performance.now() - started;
        tokens += 1;
        text += event.text;
      } else if (event.type === "sentence" || event.type === "evidence")
        sentences[event.index] = event.sentence;
    },
    answer({ pack: { name, version, digest }, provider }) {
      if (text === "") return null;
      return {
        question: question.question,
        pack: { name, version, digest },
        provider,
        seed: question.seed,
        views: question.views,
        scope,
        answer: { text, stop: "cancelled", sentences: sentences.filter(Boolean) },
        timing: {
          load_ms: 0,
          image_ms: 0,
          prefill_ms: 0,
          first_token_ms: Math.round(firstTokenMs),
          decode_tokens_per_s: 0,
          grounding_ms: 0,
          evaluations: 0,
        },
        tokens: { prompt: 0, image: 0, reused: 0, answer: tokens },
        warnings: [...warnings, stoppedWarning],
      };
    },
  };
}
