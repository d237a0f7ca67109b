import type { SentenceEvidence } from "../../core/evidence.ts";
import { answerSentences } from "../evidence/answer-sentences.ts";
import type { Calibration } from "../evidence/calibration.ts";
import { groundAnswer } from "../evidence/ground.ts";
import type { GroundingEvent, GroundingRequest } from "../evidence/grounding-request.ts";
import type { GroundingView } from "../evidence/model-access.ts";
import { openReferences } from "../evidence/references.ts";
import type { EvalModel, EvalQuestion } from "./eval-model.ts";

/** An answer that is put into the model's mouth, to be tested on an image. */
export interface ForcedAnswer {
  readonly question: EvalQuestion;
  readonly text: string;
  readonly view: GroundingView;
  readonly seed: number;
}

export interface ForcedOptions {
  readonly calibration: Calibration | null;
  /** 0: reliance alone. */
  readonly budgetSeconds: number | null;
  /** False where only the region matters: the pack's references are left out. */
  readonly references: boolean;
}

export interface ForcedResult {
  /** One a sentence. */
  readonly evidence: readonly SentenceEvidence[];
  readonly events: readonly (GroundingEvent & { readonly at_ms: number })[];
  readonly evaluations: number;
}

export function groundingRequest(
  model: EvalModel,
  answer: ForcedAnswer,
  options: ForcedOptions,
): GroundingRequest {
  const { question } = answer.question;
  return {
    question,
    choices: answer.question.choices,
    answer: { text: answer.text, sentences: answerSentences(answer.text, question) },
    views: [answer.view],
    facts: answer.question.facts,
    model: model.bind(answer.question),
    references: options.references ? model.references : openReferences([]),
    calibration: options.calibration,
    kind: model.kindOf(answer.question.facts),
    budgetSeconds: options.budgetSeconds,
    seed: answer.seed,
  };
}

export async function groundForced(request: GroundingRequest, signal: AbortSignal): Promise<ForcedResult> {
  const started = performance.now();
  const evidence: SentenceEvidence[] = [];
  const events: (GroundingEvent & { at_ms: number })[] = [];
  let evaluations = 0;
  for await (const event of groundAnswer(request, signal)) {
    events.push({ ...event, at_ms: performance.now() - started });
    if (event.type === "evidence") evidence[event.index] = event.evidence;
    if (event.type === "done") evaluations = event.evaluations;
  }
  return { evidence, events, evaluations };
}
