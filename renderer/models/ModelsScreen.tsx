import { useCallback, useState } from "react";
import type { Client } from "../../core/client.ts";
import type { PackFit } from "../../core/memory-fit.ts";
import type { PackStanding, PackSummary } from "../../core/model-pack.ts";
import type { Settings } from "../../core/settings.ts";
import { useCall } from "../app/use-call.ts";
import { Button } from "../ui/Button.tsx";
import { EmptyState } from "../ui/EmptyState.tsx";
import { ErrorNotice } from "../ui/ErrorNotice.tsx";
import { Progress } from "../ui/Progress.tsx";
import { bytesText } from "../settings/bytes-text.ts";
import { PackDetails } from "./PackDetails.tsx";
import { RefusedPacks } from "./RefusedPacks.tsx";
import { standingTag } from "./standing-text.ts";
import "./models.css";

interface ModelsScreenProps {
  readonly client: Client;
  readonly settings: Settings | null;
  readonly onSettings: (settings: Settings) => void;
}

/** The installed packs with their cards, and which of them answers. */
export function ModelsScreen({ client, settings, onSettings }: ModelsScreenProps) {
  const read = useCallback((signal: AbortSignal) => client.call("models.list", {}, signal), [client]);
  const [packs, again] = useCall(read);
  const readStandings = useCallback(
    (signal: AbortSignal) => client.call("models.standings", {}, signal),
    [client],
  );
  const [standings, againStandings] = useCall(readStandings);
  const readFits = useCallback((signal: AbortSignal) => client.call("models.fit", {}, signal), [client]);
  // What free memory there is changes; an estimate that fails is not worth a message of its own.
  const [fits] = useCall(readFits);
  const fitOf = ({ digest }: PackSummary) =>
    (fits.status === "ready" ? fits.value : []).find((fit) => fit.digest === digest) ?? null;
  const [chosen, setChosen] = useState<string | null>(null);
  const list = packs.status === "ready" ? packs.value : [];
  const known = standings.status === "ready" ? standings.value : [];
  const standingOf = ({ name, digest }: PackSummary) =>
    known.find((one) => one.name === name && one.digest === digest) ?? null;
  // Without a choice the pack that comes with the app answers.
  const wanted = settings?.pack ?? null;
  const inUse =
    wanted === null
      ? (list.find(({ embedded }) => embedded) ?? list[0])
      : list.find(({ name }) => name === wanted);
  const pack = list.find(({ digest }) => digest === chosen) ?? inUse ?? list[0];
  const [error, setError] = useState<unknown>(null);

  async function use(name: string) {
    setError(null);
    try {
      onSettings(await client.call("settings.write", { pack: name }));
    } catch (thrown) {
      setError(thrown);
    }
  }
  return (
    <main className="page">
      <div className="page-column page-wide">
        <h1>Models</h1>
        {packs.status === "loading" && <Progress label="Reading the packs" fraction={null} />}
        {packs.status === "failed" && (
          <ErrorNotice title="The models could not be read" error={packs.error} onRetry={again} />
        )}
        {packs.status === "ready" && list.length === 0 && (
          <EmptyState
            icon="model"
            title="No model pack"
            text="The embedded pack is missing from this installation. Import one with: meditron models import"
          />
        )}
        {packs.status === "ready" && wanted !== null && !inUse && (
          <p className="note">
            The pack {wanted} was chosen and is not installed: questions are refused until another one is
            chosen.
          </p>
        )}
        {standings.status === "failed" && (
          <ErrorNotice
            title="The signatures could not be read"
            error={standings.error}
            onRetry={againStandings}
          />
        )}
        {error !== null && <ErrorNotice title="The choice was not kept" error={error} />}
        {pack && (
          <div className="models">
            <nav className="models-list" aria-label="Model packs">
              {list.map((entry) => (
                <button
                  key={entry.digest}
                  type="button"
                  className="models-entry"
                  aria-current={entry.digest === pack.digest ? "true" : undefined}
                  onClick={() => setChosen(entry.digest)}
                >
                  <strong>{entry.name}</strong>
                  <span className="muted small number">
                    {entry.version}, {bytesText(entry.bytes)}
                  </span>
                  <span className="models-tags">
                    {entry === inUse && <span className="tag tag-accent">In use</span>}
                    {entry.embedded && <span className="tag">Embedded</span>}
                    <span className={entry.calibrated ? "tag" : "tag tag-warning"}>
                      {entry.calibrated ? "Calibrated" : "Not calibrated"}
                    </span>
                    <StandingTag standing={standingOf(entry)} />
                    <FitTag fit={fitOf(entry)} />
                  </span>
                </button>
              ))}
            </nav>
            <PackDetails
              pack={pack}
              fit={fitOf(pack)}
              standing={standingOf(pack)}
              action={
                pack === inUse || standingOf(pack)?.decision.status === "refused" ? null : (
                  <Button kind="primary" onClick={() => void use(pack.name)}>
                    Answer with this pack
                  </Button>
                )
              }
            />
          </div>
        )}
        <RefusedPacks standings={known} />
      </div>
    </main>
  );
}

function StandingTag({ standing }: { readonly standing: PackStanding | null }) {
  const tag = standing === null ? null : standingTag(standing);
  return tag && <span className={tag.warning ? "tag tag-warning" : "tag"}>{tag.text}</span>;
}

function FitTag({ fit }: { readonly fit: PackFit | null }) {
  if (fit?.status === "tight") return <span className="tag tag-warning">Little memory free</span>;
  if (fit?.status === "too-large") return <span className="tag tag-warning">Too large for this machine</span>;
  return null;
}
