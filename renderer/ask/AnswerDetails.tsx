import type { Sentence } from "../../core/question.ts";
import { Dialog } from "../ui/Dialog.tsx";
import type { AnswerCardState } from "./fold-answer.ts";
import { grounds, natsText, percentText } from "./words.ts";

interface AnswerDetailsProps {
  readonly card: AnswerCardState;
  readonly onClose: () => void;
}

/** Every figure of an answer: what was run, how long it took, and what was measured for each sentence. */
export function AnswerDetails({ card, onClose }: AnswerDetailsProps) {
  const { answer } = card;
  return (
    <Dialog title="Figures of this answer" wide onClose={onClose}>
      {answer ? (
        <>
          <dl className="facts">
            <Fact name="Model" value={`${answer.pack.name} ${answer.pack.version}`} />
            <Fact name="Pack digest" value={answer.pack.digest} />
            <Fact name="Runs on" value={answer.provider} />
            <Fact name="Seed" value={String(answer.seed)} />
            <Fact name="First token" value={`${Math.round(answer.timing.first_token_ms)} ms`} />
            <Fact name="Decode" value={`${answer.timing.decode_tokens_per_s.toFixed(1)} tokens/s`} />
            <Fact
              name="Evidence"
              value={`${answer.timing.evaluations} evaluations in ${(answer.timing.grounding_ms / 1000).toFixed(1)} s`}
            />
            <Fact
              name="Tokens"
              value={`${answer.tokens.prompt} prompt, ${answer.tokens.image} image, ${answer.tokens.answer} answer`}
            />
          </dl>
          <table className="figures">
            <thead>
              <tr>
                <th scope="col">Sentence</th>
                <th scope="col">Rests on</th>
                <th scope="col">Sure</th>
                <th scope="col">Reliance</th>
                <th scope="col">Alone</th>
                <th scope="col">Region effect</th>
              </tr>
            </thead>
            <tbody>
              {answer.answer.sentences.map((sentence) => (
                <SentenceFigures key={`${sentence.start}-${sentence.text}`} sentence={sentence} />
              ))}
            </tbody>
          </table>
          <p className="muted">
            Reliance: how much less the model stands behind the sentence with other images in place of this
            one. Region effect: how much less when the region is replaced, beyond what equal-sized windows
            elsewhere do.
          </p>
        </>
      ) : (
        <p>The figures are there when the answer is complete.</p>
      )}
    </Dialog>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function SentenceFigures({ sentence }: { readonly sentence: Sentence }) {
  const { reliance, probability, region_effect: effect } = sentence;
  return (
    <tr>
      <td>{sentence.text}</td>
      <td>{grounds[sentence.state]}</td>
      <td className="number">{probability === null ? "" : percentText(probability)}</td>
      <td className="number">{reliance ? natsText(reliance.nats) : ""}</td>
      <td className="number">{reliance ? natsText(reliance.alone_nats) : ""}</td>
      <td className="number">{typeof effect === "number" ? natsText(effect) : ""}</td>
    </tr>
  );
}
