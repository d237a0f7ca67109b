import type { FrameSummary } from "../../core/frame.ts";
import type { Answer, AnswerEvent, AnswerRecord, Scope, Sentence } from "../../core/question.ts";
import type { View } from "../../core/view.ts";

export type AnswerStage = Extract<AnswerEvent, { type: "progress" }>["stage"];

export interface AnswerProgress {
  readonly stage: AnswerStage;
  /** 0..1, or null where the length is not known. */
  readonly fraction: number | null;
  readonly remainingMs: number | null;
}

/**
 * One answer card. It is bound at the moment of asking to the patient, study, series and slice it is about, and
 * stays bound when the viewport moves on while the answer streams.
 */
export interface AnswerCardState {
  readonly key: string;
  /** Set when the host accepted the question; the id of the saved answer. */
  readonly id: string | null;
  readonly askedAt: string;
  readonly question: string;
  readonly subject: FrameSummary;
  readonly views: readonly View[];
  readonly scope: Scope | null;
  readonly warnings: readonly string[];
  readonly text: string;
  readonly sentences: readonly Sentence[];
  readonly status:
    | { readonly type: "running"; readonly progress: AnswerProgress | null }
    /** The answer is whole; its evidence is being tested. */
    | { readonly type: "testing"; readonly progress: AnswerProgress | null }
    | { readonly type: "done" }
    | { readonly type: "failed"; readonly code: string; readonly message: string };
  readonly answer: Answer | null;
}

export interface AskedQuestion {
  readonly key: string;
  readonly askedAt: string;
  readonly question: string;
  readonly subject: FrameSummary;
  readonly views: readonly View[];
}

export function startCard(asked: AskedQuestion): AnswerCardState {
  return {
    ...asked,
    id: null,
    scope: null,
    warnings: [],
    text: "",
    sentences: [],
    status: { type: "running", progress: null },
    answer: null,
  };
}

/** A saved answer as a card: the same shape as a streamed one that has ended. */
export function cardOfRecord(record: AnswerRecord): AnswerCardState {
  const { answer } = record;
  return {
    key: record.id,
    id: record.id,
    askedAt: record.askedAt,
    question: answer.question,
    subject: record.subject,
    views: answer.views,
    scope: answer.scope,
    warnings: answer.warnings,
    text: answer.answer.text,
    sentences: answer.answer.sentences,
    status: { type: "done" },
    answer,
  };
}

/** The next state of a card: pure, so that a stream can be replayed in a test. */
export function foldAnswer(card: AnswerCardState, event: AnswerEvent): AnswerCardState {
  switch (event.type) {
    case "progress": {
      const progress = { stage: event.stage, fraction: event.fraction, remainingMs: event.remaining_ms };
      const type = isTestingStage(event.stage) ? "testing" : "running";
      return { ...card, status: { type, progress } };
    }
    case "accepted":
      return { ...card, id: event.id, subject: event.subject, scope: event.scope, warnings: event.warnings };
    case "token":
      return { ...card, text: card.text + event.text };
    case "sentence":
    case "evidence":
      return { ...card, sentences: replaceAt(card.sentences, event.index, event.sentence) };
    case "done":
      return {
        ...card,
        scope: event.answer.scope,
        warnings: event.answer.warnings,
        views: event.answer.views,
        text: event.answer.answer.text,
        sentences: event.answer.answer.sentences,
        status: { type: "done" },
        answer: event.answer,
      };
  }
}

/** Stopping keeps what was read so far: the text stays on the card, marked as cut. */
export function failCard(card: AnswerCardState, error: { code: string; message: string }): AnswerCardState {
  return { ...card, status: { type: "failed", code: error.code, message: error.message } };
}

export function isTestingStage(stage: AnswerStage): boolean {
  return stage === "reliance" || stage === "map" || stage === "region";
}

export function isOpen(card: AnswerCardState): boolean {
  return card.status.type === "running" || card.status.type === "testing";
}

function replaceAt(sentences: readonly Sentence[], index: number, sentence: Sentence): readonly Sentence[] {
  const next = sentences.slice();
  next[index] = sentence;
  return next;
}
