import { type FormEvent, type KeyboardEvent, useState } from "react";
import type { FrameSummary } from "../../core/frame.ts";
import { Button } from "../ui/Button.tsx";
import { suggestedQuestions } from "./suggested-questions.ts";

interface QuestionFormProps {
  readonly subject: FrameSummary | null;
  readonly busy: boolean;
  readonly onAsk: (question: string) => void;
}

const longest = 2000;

export function QuestionForm({ subject, busy, onAsk }: QuestionFormProps) {
  const [question, setQuestion] = useState("");
  const ready = subject !== null && !busy && question.trim() !== "";

  function submit(event?: FormEvent) {
    event?.preventDefault();
    if (!ready) return;
    onAsk(question.trim());
    setQuestion("");
  }

  // Enter asks, Shift+Enter breaks the line; an input method's own Enter is left alone.
  function onKeyDown(event: KeyboardEvent) {
    event.stopPropagation();
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
      <div className="ask-input">
        <textarea
          aria-label="Question about this image"
          placeholder={subject ? "Ask about the image in view" : "Open an image first"}
          rows={2}
          maxLength={longest}
          value={question}
          disabled={subject === null}
          onChange={(event) => setQuestion(event.target.value)}
          onKeyDown={onKeyDown}
        />
        <Button kind="primary" type="submit" disabled={!ready}>
          Ask
        </Button>
      </div>
    </form>
  );
}
