import type { PackStanding } from "../../core/model-pack.ts";
import { adviceText } from "./standing-text.ts";

/** Packs that lie in a pack folder and are not used, with the reason and the way out. */
export function RefusedPacks({ standings }: { readonly standings: readonly PackStanding[] }) {
  const refused = standings.filter(({ decision }) => decision.status === "refused");
  if (refused.length === 0) return null;
  return (
    <section className="card refused" aria-label="Refused packs">
      <h2>Refused packs</h2>
      <ul>
        {refused.map((standing) => (
          <li key={`${standing.name} ${standing.digest}`}>
            <strong>{standing.name}</strong>
            <p>{standing.decision.status === "refused" && standing.decision.reason}</p>
            <p className="muted">{adviceText(standing)}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}
