import type { PackStanding } from "../../core/model-pack.ts";
import { adviceText, decisionText, signerText } from "./standing-text.ts";

/** Who signed a pack, and whether this machine uses it. */
export function PackStandingFacts({ standing }: { readonly standing: PackStanding }) {
  const { signed, decision } = standing;
  const signer = signerText(standing.signer);
  const checked = decision.status === "trusted";
  const advice = adviceText(standing);
  return (
    <section aria-label="Signature">
      <h3>Signature</h3>
      <dl className="facts">
        <dt>{checked || !signed ? "Signed by" : "Says it is signed by"}</dt>
        <dd>{signed ? (signer?.who ?? "nobody that can be read") : "nobody"}</dd>
        {signer !== null && <dt>Fingerprint</dt>}
        {signer !== null && <dd className="pack-digest">{signer.fingerprint}</dd>}
      </dl>
      <p className={decision.status === "refused" ? "note" : "muted"}>{decisionText(standing)}</p>
      {advice !== null && <p>{advice}</p>}
    </section>
  );
}
