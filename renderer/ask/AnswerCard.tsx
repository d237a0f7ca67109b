import { useState } from "react";
import type { Client } from "../../core/client.ts";
import type { Sentence } from "../../core/question.ts";
import { Button } from "../ui/Button.tsx";
import { Icon } from "../ui/Icon.tsx";
import { Menu } from "../ui/Menu.tsx";
import { useNotice } from "../ui/Notices.tsx";
import { Progress } from "../ui/Progress.tsx";
import { AnswerDetails } from "./AnswerDetails.tsx";
import { type AnswerCardState, isOpen } from "./fold-answer.ts";
import { ModelInputDialog } from "./ModelInputDialog.tsx";
import { SentenceRow } from "./SentenceRow.tsx";
import {
  cardNote,
  copiedText,
  dateText,
  nameText,
  packText,
  partText,
  placeText,
  progressText,
  researchUse,
} from "./words.ts";

interface AnswerCardProps {
  readonly client: Client;
  readonly card: AnswerCardState;
  /** The viewport shows the frame that this card is about. */
  readonly inView: boolean;
  readonly selectedSentence: number | null;
  readonly onSelect: (sentence: number | null) => void;
  readonly onShowSubject: () => void;
  readonly onStop: () => void;
  readonly onGround: () => void;
  readonly onRemove: () => void;
}

export function AnswerCard(props: AnswerCardProps) {
  const { client, card, selectedSentence, onSelect } = props;
  const [dialog, setDialog] = useState<"model-input" | "details" | null>(null);
  const say = useNotice();
  const refused = card.answer?.answer.stop === "refused";
  const untested = card.status.type === "done" && card.sentences.some(canStillBeTested);

  async function copy() {
    try {
      await navigator.clipboard.writeText(copiedText(card));
      say("Copied with patient, model and date.");
    } catch {
      say("The clipboard did not take the text. Select it and copy by hand.");
    }
  }

  return (
    <article className="answer" aria-label={`Answer to: ${card.question}`} data-status={card.status.type}>
      <header className="answer-head">
        <h3>{card.question}</h3>
        <Menu
          label="More about this answer"
          align="end"
          className="icon-button"
          items={[
            { key: "details", label: "Figures", onChoose: () => setDialog("details") },
            { key: "remove", label: "Delete answer", danger: true, onChoose: props.onRemove },
          ]}
        >
          <Icon name="more" />
        </Menu>
      </header>
      <SubjectLine card={card} inView={props.inView} onShow={props.onShowSubject} />

      {card.scope?.status === "uncertain" && <p className="ask-warning">{card.scope.reason}</p>}
      {card.warnings.map((warning) => (
        <p key={warning} className="ask-warning">
          {warning}
        </p>
      ))}

      {refused && <p className="answer-refused">{card.text}</p>}
      {!refused && card.sentences.length === 0 && card.text !== "" && (
        <p className="answer-text">{card.text}</p>
      )}
      {card.sentences.length > 0 && (
        <ol className="sentences">
          {card.sentences.map((sentence, index) => (
            <SentenceRow
              key={`${sentence.start}-${sentence.text}`}
              sentence={sentence}
              testing={isOpen(card)}
              selected={index === selectedSentence}
              onSelect={() => onSelect(index === selectedSentence ? null : index)}
            />
          ))}
        </ol>
      )}

      {isOpen(card) && <RunningLine card={card} onStop={props.onStop} />}
      {card.status.type === "failed" && (
        <p className="answer-failed" role="alert">
          {card.status.code === "cancelled" ? "Stopped. The answer is not complete." : card.status.message}
        </p>
      )}

      {card.status.type === "done" && (
        <footer className="answer-foot">
          {!refused && <p>{cardNote}</p>}
          <p>
            {researchUse} {packText(card.answer)}
          </p>
          <div className="answer-actions">
            {untested && (
              <Button kind="quiet" icon="play" onClick={props.onGround}>
                Test the evidence
              </Button>
            )}
            {!refused && (
              <Button kind="quiet" icon="eye" onClick={() => setDialog("model-input")}>
                What the model saw
              </Button>
            )}
            <Button kind="quiet" icon="copy" onClick={() => void copy()}>
              Copy
            </Button>
          </div>
        </footer>
      )}

      {dialog === "model-input" && (
        <ModelInputDialog client={client} card={card} onClose={() => setDialog(null)} />
      )}
      {dialog === "details" && <AnswerDetails card={card} onClose={() => setDialog(null)} />}
    </article>
  );
}

/** Left for a button, because it would have taken longer than the time allowed. */
function canStillBeTested({ state, maps }: Sentence): boolean {
  return state === "untested" || (state === "uncalibrated" && maps.length === 0);
}

interface SubjectLineProps {
  readonly card: AnswerCardState;
  readonly inView: boolean;
  readonly onShow: () => void;
}

function SubjectLine({ card, inView, onShow }: SubjectLineProps) {
  const { subject } = card;
  const who = [nameText(subject.patientName), subject.patientId, dateText(subject.studyDate)].filter(
    (part) => part !== "",
  );
  return (
    <div className="answer-subject">
      <span>
        {subject.phantom && <span className="answer-phantom">Phantom</span>}
        {who.join(" · ")}
        <br />
        {[subject.studyDescription, placeText(subject), partText(card.views)]
          .filter((part) => part !== "")
          .join(" · ")}
      </span>
      {!inView && (
        <Button kind="quiet" onClick={onShow}>
          Show image
        </Button>
      )}
    </div>
  );
}

function RunningLine({ card, onStop }: { readonly card: AnswerCardState; readonly onStop: () => void }) {
  const { status } = card;
  const progress = status.type === "running" || status.type === "testing" ? status.progress : null;
  return (
    <div className="answer-running">
      <div>
        <span>{progressText(progress)}</span>
        <Progress label={progressText(progress)} fraction={progress?.fraction ?? null} />
      </div>
      <Button icon="stop" onClick={onStop}>
        Stop
      </Button>
    </div>
  );
}
