import type { ReactNode } from "react";
import type { PackFit } from "../../core/memory-fit.ts";
import type { Figure, PackStanding, PackSummary } from "../../core/model-pack.ts";
import { bytesText } from "../settings/bytes-text.ts";
import { PackStandingFacts } from "./PackStandingFacts.tsx";
import { memoryText } from "./memory-text.ts";
import { figureValue, intendedText, intervalText } from "./figure-text.ts";

interface PackDetailsProps {
  readonly pack: PackSummary;
  /** What it takes of this machine's memory; null: not known yet. */
  readonly fit: PackFit | null;
  /** Null: not known yet. */
  readonly standing: PackStanding | null;
  readonly action: ReactNode;
}

/** The card of a pack: what it is for, how it was measured and what it gets wrong. */
export function PackDetails({ pack, fit, standing, action }: PackDetailsProps) {
  const { card } = pack;
  return (
    <article className="card pack" aria-label={card.title}>
      <header className="pack-head">
        <div>
          <h2>{card.title}</h2>
          <p>{card.summary}</p>
        </div>
        {action}
      </header>
      <p className="note">{card.researchUse}</p>
      {fit && fit.status !== "fits" && fit.status !== "unknown" && <p className="note">{fit.text}</p>}
      <section>
        <h3>For</h3>
        <ul>
          {pack.intendedFor.map((intended) => (
            <li key={intended.name}>
              <strong>{intended.name}</strong>: {intendedText(intended)}
            </li>
          ))}
        </ul>
        <p className="muted">
          Outside this it refuses. Where the header does not say, it answers with a warning.
        </p>
      </section>
      <section>
        <h3>Known failures</h3>
        {card.knownFailures.length === 0 ? (
          <p className="muted">The card names none.</p>
        ) : (
          <ul>
            {card.knownFailures.map((failure) => (
              <li key={failure}>{failure}</li>
            ))}
          </ul>
        )}
      </section>
      <section>
        <h3>Measured</h3>
        {card.figures.length === 0 ? (
          <p className="muted">The card holds no figures.</p>
        ) : (
          <Figures figures={card.figures} />
        )}
      </section>
      <section>
        <h3>Training data</h3>
        {card.trainingData.length === 0 && <p className="muted">The card names none.</p>}
        <table className="pack-figures" hidden={card.trainingData.length === 0}>
          <thead>
            <tr>
              <th>Set</th>
              <th>Part</th>
              <th className="pack-figures-number">Images</th>
              <th>Licence and source</th>
            </tr>
          </thead>
          <tbody>
            {card.trainingData.map((data) => (
              <tr key={`${data.name} ${data.part}`}>
                <td>{data.name}</td>
                <td>{data.part}</td>
                <td className="pack-figures-number number">{data.images}</td>
                <td>
                  {data.licence}
                  <span className="muted small pack-figures-source">{data.attribution}</span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        <p className="muted">{card.split}</p>
      </section>
      {standing !== null && <PackStandingFacts standing={standing} />}
      <section>
        <h3>Pack</h3>
        <dl className="facts">
          <dt>Name</dt>
          <dd>
            {pack.name} {pack.version}
          </dd>
          <dt>Architecture</dt>
          <dd>{pack.architecture}</dd>
          <dt>Licence</dt>
          <dd>{pack.licence}</dd>
          <dt>Size</dt>
          <dd className="number">{bytesText(pack.bytes)}</dd>
          {fit && (
            <>
              <dt>Memory</dt>
              <dd className="number">{memoryText(fit)}</dd>
            </>
          )}
          <dt>Context</dt>
          <dd className="number">
            {pack.contextLength} tokens, up to {pack.maxViews} {pack.maxViews === 1 ? "image" : "images"} a
            question
          </dd>
          <dt>Digest</dt>
          <dd className="pack-digest">{pack.digest}</dd>
        </dl>
      </section>
    </article>
  );
}

function Figures({ figures }: { readonly figures: readonly Figure[] }) {
  return (
    <table className="pack-figures">
      <thead>
        <tr>
          <th>Figure</th>
          <th className="pack-figures-number">Value</th>
          <th>95 % interval</th>
          <th className="pack-figures-number">Cases</th>
          <th>Data</th>
        </tr>
      </thead>
      <tbody>
        {figures.map((figure) => (
          <tr key={`${figure.name} ${figure.data}`}>
            <td>
              {figure.name}
              <details>
                <summary className="muted small">How to repeat it</summary>
                <code>{figure.command}</code>
                <span className="muted small"> {figure.date}</span>
              </details>
            </td>
            <td className="pack-figures-number number">
              {figureValue(figure.value)} {figure.unit}
            </td>
            <td className="number">{intervalText(figure)}</td>
            <td className="pack-figures-number number">{figure.cases}</td>
            <td>{figure.data}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
