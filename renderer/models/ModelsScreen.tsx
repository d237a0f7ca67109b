import { useCallback, useState } from "react";
import type { Client } from "../../core/client.ts";
import { useCall } from "../app/use-call.ts";
import { EmptyState } from "../ui/EmptyState.tsx";
import { ErrorNotice } from "../ui/ErrorNotice.tsx";
import { Progress } from "../ui/Progress.tsx";
import { bytesText } from "../settings/bytes-text.ts";
import { PackDetails } from "./PackDetails.tsx";
import "./models.css";

/** The installed packs with their cards. */
export function ModelsScreen({ client }: { readonly client: Client }) {
  const read = useCallback((signal: AbortSignal) => client.call("models.list", {}, signal), [client]);
  const [packs, again] = useCall(read);
  const [chosen, setChosen] = useState<string | null>(null);
  const list = packs.status === "ready" ? packs.value : [];
  const pack = list.find(({ digest }) => digest === chosen) ?? list[0];
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
                    {entry.embedded && <span className="tag">Embedded</span>}
                    <span className={entry.calibrated ? "tag" : "tag tag-warning"}>
                      {entry.calibrated ? "Calibrated" : "Not calibrated"}
                    </span>
                  </span>
                </button>
              ))}
            </nav>
            <PackDetails pack={pack} />
          </div>
        )}
      </div>
    </main>
  );
}
