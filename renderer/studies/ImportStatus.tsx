import { Button } from "../ui/Button.tsx";
import { ErrorNotice } from "../ui/ErrorNotice.tsx";
import { IconButton } from "../ui/IconButton.tsx";
import { Progress } from "../ui/Progress.tsx";
import { type ImportProgress, reportText } from "./import-progress.ts";
import type { Importer } from "./use-import.ts";

/** The running import, or what came of the last one. */
export function ImportStatus({ importer }: { readonly importer: Importer }) {
  const { state } = importer;
  if (state.status === "idle") return null;
  const { progress } = state;
  return (
    <section className="import-status" aria-label="Import" aria-live="polite">
      {state.status === "running" && (
        <div className="import-line">
          <span className="number">{progress.words}</span>
          <div className="import-bar">
            <Progress label="Import" fraction={progress.fraction} />
          </div>
          <Button onClick={importer.cancel}>Cancel</Button>
        </div>
      )}
      {state.status === "failed" && (
        <ErrorNotice title="The import stopped" error={state.error} onRetry={importer.dismiss} />
      )}
      {(state.status === "done" || state.status === "cancelled") && (
        <div className="import-line">
          <span className="import-result">
            {state.status === "cancelled"
              ? "Import cancelled. What was finished before stays."
              : progress.report
                ? reportText(progress.report)
                : "Nothing was imported."}
          </span>
          <IconButton icon="close" label="Close the import report" edge="end" onClick={importer.dismiss} />
        </div>
      )}
      <Failures progress={progress} />
    </section>
  );
}

function Failures({ progress }: { readonly progress: ImportProgress }) {
  const { failures, moreFailures } = progress;
  if (failures.length === 0) return null;
  return (
    <details className="import-failures" open={failures.length <= 5}>
      <summary>
        {failures.length + moreFailures === 1 ? "Which file, and why" : "Which files, and why"}
      </summary>
      <ul>
        {failures.map((failure, index) => (
          <li key={index}>
            <span className="import-name">{failure.name}</span>
            <span className="muted">{failure.message}</span>
            <code>{failure.code}</code>
          </li>
        ))}
        {moreFailures > 0 && <li className="muted">and {moreFailures} more</li>}
      </ul>
    </details>
  );
}
