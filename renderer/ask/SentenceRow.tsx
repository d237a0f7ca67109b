import type { Sentence } from "../../core/question.ts";
import { groundDetails, grounds, pendingGround, percentText } from "./words.ts";

interface SentenceRowProps {
  readonly sentence: Sentence;
  /** Its evidence may still change. */
  readonly testing: boolean;
  readonly selected: boolean;
  readonly onSelect: () => void;
}

/** A sentence and what it rests on. Selecting it draws its evidence on the image. */
export function SentenceRow({ sentence, testing, selected, onSelect }: SentenceRowProps) {
  const pending = testing && sentence.state === "untested";
  return (
    <li>
      <button
        type="button"
        className="sentence"
        data-state={pending ? "pending" : sentence.state}
        aria-pressed={selected}
        onClick={onSelect}
      >
        <span className="sentence-text">{sentence.text}</span>
        <span className="sentence-ground">{pending ? pendingGround : grounds[sentence.state]}</span>
        {selected && !pending && <SentenceDetail sentence={sentence} />}
      </button>
    </li>
  );
}

function SentenceDetail({ sentence }: { readonly sentence: Sentence }) {
  const { reliance, probability, follows_from: followsFrom } = sentence;
  return (
    <span className="sentence-detail">
      <span>{groundDetails[sentence.state]}</span>
      {typeof followsFrom === "number" && <span>Follows from sentence {followsFrom + 1}.</span>}
      {probability !== null && <span>How sure the model is: {percentText(probability)}</span>}
      {reliance && reliance.calibrated !== null && (
        <span>
          How much it needs this image: {percentText(reliance.calibrated)}
          {typeof reliance.threshold === "number" && ` (counts from ${percentText(reliance.threshold)})`}
        </span>
      )}
    </span>
  );
}
