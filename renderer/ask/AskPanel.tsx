import { useEffect, useRef, useState } from "react";
import type { Client } from "../../core/client.ts";
import type { FrameSummary } from "../../core/frame.ts";
import type { StudyUid } from "../../core/study.ts";
import type { View } from "../../core/view.ts";
import { EmptyState } from "../ui/EmptyState.tsx";
import { Panel } from "../ui/Panel.tsx";
import { AnswerCard } from "./AnswerCard.tsx";
import { isOpen } from "./fold-answer.ts";
import { type GroundingOverlay, overlayOfSentence } from "./grounding-overlay.ts";
import { QuestionForm } from "./QuestionForm.tsx";
import { useAnswers } from "./use-answers.ts";
import { usePreparing } from "./use-preparing.ts";
import { researchUse } from "./words.ts";
import "./ask.css";

/** What the assistant needs of the viewport beside it. */
export interface AskTarget {
  /** The frame in view; null while nothing is shown. */
  readonly subject: FrameSummary | null;
  /** Images in the series in view. */
  readonly imageCount: number;
  /** Which part of it a question would be about. */
  readonly seen: "whole" | "in-view" | "region";
  captureView(): View | null;
  /** Takes a marked region away and fits the image. */
  showWhole(): void;
  /** Opens the overlay's frame and draws it; null takes the drawing away. */
  showOverlay(overlay: GroundingOverlay | null): void;
  /** Opens the frame that a card is about. */
  showSubject(subject: FrameSummary): void;
}

interface AskPanelProps {
  readonly client: Client;
  readonly studyInstanceUid: StudyUid;
  readonly target: AskTarget;
  readonly groundBudgetSeconds: number;
}

/** The assistant: stands beside the image, never over it. */
export function AskPanel({ client, studyInstanceUid, target, groundBudgetSeconds }: AskPanelProps) {
  const answers = useAnswers(client, studyInstanceUid);
  const [selected, setSelected] = useState<{ card: string; sentence: number } | null>(null);
  const list = useRef<HTMLDivElement>(null);
  const busy = answers.cards.some(isOpen);
  const preparing = usePreparing(client);
  const count = answers.cards.length;

  useEffect(() => {
    if (count > 0) list.current?.scrollTo({ top: list.current.scrollHeight });
  }, [count]);

  const card = answers.cards.find((one) => one.key === selected?.card);
  const sentence = selected && card?.sentences[selected.sentence];
  const { showOverlay } = target;

  // The drawing follows the sentence while its evidence is still being refined.
  useEffect(() => {
    showOverlay(sentence && card ? overlayOfSentence(sentence, card.views, isOpen(card)) : null);
  }, [sentence, card, showOverlay]);

  function ask(question: string) {
    const view = target.captureView();
    if (!view || !target.subject) return;
    setSelected(null);
    preparing.stop();
    const unseenSlices = Math.max(0, target.imageCount - 1);
    answers.ask({ question, subject: target.subject, views: [view], unseenSlices, groundBudgetSeconds });
  }

  return (
    <div className="ask">
      <Panel title="Assistant">
        <div className="ask-cards" ref={list} aria-live="polite">
          {answers.loadError !== null && (
            <p className="ask-warning" role="alert">
              {answers.loadError}
            </p>
          )}
          {count === 0 && answers.loadError === null && (
            <EmptyState
              icon="ask"
              title={target.subject ? "Ask about this image" : "Nothing to ask about"}
              text={
                target.subject
                  ? "The model on this machine answers in sentences. Select a sentence to see what it rests on in the image."
                  : "Questions are about the image in view, and none is shown."
              }
            />
          )}
          {answers.cards.map((one) => (
            <AnswerCard
              key={one.key}
              client={client}
              card={one}
              inView={one.subject.sopInstanceUid === target.subject?.sopInstanceUid}
              selectedSentence={selected?.card === one.key ? selected.sentence : null}
              onSelect={(index) => setSelected(index === null ? null : { card: one.key, sentence: index })}
              onShowSubject={() => target.showSubject(one.subject)}
              onStop={() => answers.stop(one.key)}
              onGround={() => answers.ground(one.key)}
              onRemove={() => answers.remove(one.key)}
            />
          ))}
        </div>
        <QuestionForm
          subject={target.subject}
          seen={target.seen}
          busy={busy}
          onAsk={ask}
          onWrite={(question) => preparing.write(question, busy ? () => null : target.captureView)}
          onShowWhole={target.showWhole}
        />
        <p className="ask-research">{researchUse}</p>
      </Panel>
    </div>
  );
}
