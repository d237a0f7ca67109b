import { type FormEvent, type KeyboardEvent, useState } from "react";
import type { FrameSummary } from "../../core/frame.ts";
import { Button } from "../ui/Button.tsx";
import { suggestedQuestions } from "./suggested-questions.ts";

interface QuestionFormProps {
  readonly subject: FrameSummary | null;
  /** Which part of the image the model would be given. */
  readonly seen: "whole" | "in-view" | "region";
  readonly busy: boolean;
  readonly onAsk: (question: string) => void;
  /** With every change of what is written. */
  readonly onWrite: (question: string) => void;
  readonly onShowWhole: () => void;
}

export const questionFieldId = "question";

const seenWords = {
  "in-view": "The model will see the part in view, not the whole image.",
  region: "The model will see the marked region alone.",
} as const;

const longest = 2000;

export function QuestionForm({ subject, seen, busy, onAsk, onWrite, onShowWhole }: QuestionFormProps) {
  const [question, setQuestion] = useState("");
  const ready = subject !== null && !busy && question.trim() !== "";

  function submit(event?: FormEvent) {
    event?.preventDefault();
    if (!ready) return;
    onAsk(question.trim());
    setQuestion("");
  }

  // Enter asks, Shift+Enter breaks the line; an input method's own Enter is left alone.
  function onKeyDown(event: KeyboardEvent<HTMLTextAreaElement>) {
    event.stopPropagation();
    // Back to the image, where the viewer's keys work.
    if (event.key === "Escape") event.currentTarget.blur();
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) submit(event);
  }

  return (
    <form className="ask-form" onSubmit={submit}>
      {subject && (
        <div className="ask-suggestions" aria-label="Suggested questions">
          {suggestedQuestions(subject.facts).map((text) => (
            <button
              key={text}
              type="button"
              className="ask-suggestion"
              disabled={busy}
              onClick={() => onAsk(text)}
            >
              {text}
            </button>
          ))}
        </div>
      )}
      {subject && seen !== "whole" && (
        <p className="ask-seen">
          <span>{seenWords[seen]}</span>
          <Button kind="quiet" onClick={onShowWhole}>
            Whole image
          </Button>
        </p>
      )}
      <div className="ask-input">
        <textarea
          id={questionFieldId}
          aria-label="Question about this image"
          placeholder={subject ? "Ask about the image in view" : "No image in view"}
          rows={2}
          maxLength={longest}
          // Else the browser keeps what is typed here in its profile.
          autoComplete="off"
          value={question}
          disabled={subject === null}
          onChange={(event) => {
            setQuestion(event.target.value);
            onWrite(event.target.value);
          }}
          onKeyDown={onKeyDown}
        />
        <Button kind="primary" type="submit" disabled={!ready}>
          Ask
        </Button>
      </div>
    </form>
  );
}
