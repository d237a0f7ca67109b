import { type ReactNode, useCallback } from "react";
import type { Client } from "../../core/client.ts";
import { useCall } from "../app/use-call.ts";
import { momentText } from "../studies/study-text.ts";
import { Button } from "../ui/Button.tsx";
import { ErrorNotice } from "../ui/ErrorNotice.tsx";
import { Progress } from "../ui/Progress.tsx";
import { doneText, groupProblems, type UpkeepJob, type UpkeepProgress } from "./upkeep.ts";
import type { UpkeepState } from "./use-upkeep.ts";

interface UpkeepStatusProps {
  readonly client: Client;
  readonly job: UpkeepJob;
  readonly state: UpkeepState;
  readonly onCancel: () => void;
}

const words = {
  check: { running: "Reading", title: "Checking the archive", failed: "The check stopped" },
  backup: { running: "Copied", title: "Backing up", failed: "No backup was made" },
  restore: { running: "Restored", title: "Restoring", failed: "Nothing was restored" },
} as const satisfies Record<UpkeepJob, { running: string; title: string; failed: string }>;

const cancelled = {
  check: "Cancelled before the end. What was found until then:",
  backup: "Cancelled. What had been copied was removed; the folder holds no backup.",
  restore: "Cancelled. Everything is as it was before.",
} as const satisfies Record<UpkeepJob, string>;

/** How far it is, with a way to stop it, and what came of it. */
export function UpkeepStatus({ client, job, state, onCancel }: UpkeepStatusProps) {
  if (state.status === "idle") return null;
  const { progress } = state;
  const { running, title, failed } = words[job];
  return (
    <div className="upkeep" role="status" aria-label={title}>
      {state.status === "running" && (
        <div className="upkeep-line">
          <span className="number">
            {progress.fraction === null ? progress.words : `${running} ${progress.words}`}
          </span>
          <div className="upkeep-bar">
            <Progress label={title} fraction={progress.fraction} />
          </div>
          <Button onClick={onCancel}>Cancel</Button>
        </div>
      )}
      {state.status === "failed" && <ErrorNotice title={failed} error={state.error} />}
      {state.status === "cancelled" && (
        <p>
          {cancelled[job]}
          {job === "check" && progress.problems.length === 0 && " nothing damaged or missing."}
        </p>
      )}
      {state.status === "done" && progress.done && (
        <p>
          <span className="muted number">{momentText(state.at)}</span> {doneText(job, progress.done)}
          {job === "backup" && <span className="place"> It lies in {state.folder}</span>}
        </p>
      )}
      {progress.problems.length > 0 && <Problems client={client} progress={progress} />}
    </div>
  );
}

function Problems({ client, progress }: { readonly client: Client; readonly progress: UpkeepProgress }) {
  const { problems, moreProblems } = progress;
  const count = problems.length + moreProblems;
  // A restore has no worklist to read names from; the identifier stands there instead.
  const read = useCallback((signal: AbortSignal) => client.call("studies.list", {}, signal), [client]);
  const [studies] = useCall(read);
  const groups = groupProblems(problems, studies.status === "ready" ? studies.value : []);
  return (
    <div className="note upkeep-problems">
      <strong>{count === 1 ? "1 problem" : `${count} problems`}</strong>
      <ul>
        {groups.map(({ title, lines }) => (
          <li key={title}>
            <strong>{title}</strong>
            {lines.map(({ message, count: times }) => (
              <p key={message}>
                {message} {times > 1 && <Times>{times}</Times>}
              </p>
            ))}
          </li>
        ))}
      </ul>
      {moreProblems > 0 && <p className="muted">and {moreProblems} more</p>}
    </div>
  );
}

function Times({ children }: { readonly children: ReactNode }) {
  return <span className="muted number">({children} files)</span>;
}
