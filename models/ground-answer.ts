import type { Answer, AnswerEvent, Question, Sentence } from "../core/question.ts";
import type { HeaderFacts } from "../core/frame.ts";
import { bindQuestion } from "./bind-question.ts";
import { writtenChoice } from "./decode/choices.ts";
import { groundAnswer } from "./evidence/ground.ts";
import { saysLeftOut } from "./evidence/left-out.ts";
import type { GroundingView } from "./evidence/model-access.ts";
import type { LoadedPack } from "./loaded-pack.ts";
import type { PromptReader } from "./runtime/prompt-reader.ts";
import { kindOf } from "./scope.ts";

export interface GroundingWork {
  readonly pack: LoadedPack;
  readonly question: Question;
  readonly facts: HeaderFacts;
  readonly views: readonly GroundingView[];
  readonly answer: Answer;
  /** It reads many images; nothing of what it holds is needed afterwards. */
  readonly reader: PromptReader;
  /** Null: no budget. */
  readonly budgetSeconds: number | null;
}

/** Tests the sentences of an answer and returns the answer with what was found. */
export async function* groundSentences(
  { pack, question, facts, views, answer, reader, budgetSeconds }: GroundingWork,
  signal: AbortSignal,
): AsyncGenerator<AnswerEvent, Answer, void> {
  const sentences = [...answer.answer.sentences];
  const { choices } = question;
  const request = {
    question: question.question,
    choices,
    answer: choices === null ? { text: answer.answer.text, sentences } : writtenAnswer(answer.answer.text),
    views,
    facts,
    model: bindQuestion(pack, { question: question.question, choices, facts }, reader),
    references: pack.references,
    calibration: pack.calibration,
    kind: kindOf(pack.summary.intendedFor, facts),
    budgetSeconds,
    seed: question.seed,
  };
  const notes = pack.notes.length;
  let { timing } = answer;
  let warnings = answer.warnings.filter((warning) => !saysLeftOut(warning));
  for await (const event of groundAnswer(request, signal)) {
    if (event.type === "progress") {
      yield {
        type: "progress",
        stage: event.stage,
        fraction: event.fraction,
        remaining_ms: event.remaining_ms,
      };
    } else if (event.type === "evidence") {
      const { text, start, end } = sentences[event.index]!;
      const sentence: Sentence = { text, start, end, probability: event.probability, ...event.evidence };
      sentences[event.index] = sentence;
      yield { type: "evidence", index: event.index, sentence };
    } else {
      timing = { ...timing, grounding_ms: Math.round(event.milliseconds), evaluations: event.evaluations };
      warnings = [...new Set([...warnings, ...pack.notes.slice(notes), ...event.warnings])];
    }
  }
  return { ...answer, answer: { ...answer.answer, sentences }, timing, warnings };
}

/** A choice as the model says it; there is one sentence, and its place in the text shown does not change. */
function writtenAnswer(choice: string): {
  text: string;
  sentences: { text: string; start: number; end: number }[];
} {
  const text = writtenChoice(choice);
  return { text, sentences: [{ text, start: 0, end: text.length }] };
}
