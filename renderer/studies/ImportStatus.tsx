import type { StudyUid } from "../../core/study.ts";
import { Button } from "../ui/Button.tsx";
import { ErrorNotice } from "../ui/ErrorNotice.tsx";
import { IconButton } from "../ui/IconButton.tsx";
import { Progress } from "../ui/Progress.tsx";
import { type ImportNote, type NoteGroup, noteGroups, reportText } from "./import-progress.ts";
import type { Importer } from "./use-import.ts";

interface ImportStatusProps {
  readonly importer: Importer;
  readonly onCompare: (study: StudyUid) => void;
}

/** The running import, or what came of the last one. */
export function ImportStatus({ importer, onCompare }: ImportStatusProps) {
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
        <ErrorNotice title="The import stopped" error={state.error}>
          <Button onClick={importer.again}>Try again</Button>
          <Button kind="quiet" onClick={importer.dismiss}>
            Close
          </Button>
        </ErrorNotice>
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
      {noteGroups(progress).map((group) => (
        <Group key={group.kind} group={group} onCompare={onCompare} />
      ))}
    </section>
  );
}

interface GroupProps {
  readonly group: NoteGroup;
  readonly onCompare: (study: StudyUid) => void;
}

/** Open where it is short: the reason is what the user came for. */
function Group({ group, onCompare }: GroupProps) {
  const short = group.notes.reduce((sum, { names }) => sum + names.length, 0) <= 5;
  return (
    <details className={`import-group import-group-${group.kind}`} open={short}>
      <summary>{group.title}</summary>
      <ul>
        {group.notes.map((note) => (
          <Note key={`${note.code} ${note.message}`} note={note} onCompare={onCompare} />
        ))}
        {group.more > 0 && <li className="muted">and {group.more} more, for other reasons</li>}
      </ul>
    </details>
  );
}

function Note({
  note,
  onCompare,
}: {
  readonly note: ImportNote;
  readonly onCompare: GroupProps["onCompare"];
}) {
  const hidden = note.count - note.names.length;
  return (
    <li className="import-note">
      <p>
        {note.message} {note.code !== "" && <code>{note.code}</code>}
      </p>
      <ul className="import-names">
        {note.names.map((name, index) => (
          <li key={index}>{name}</li>
        ))}
        {hidden > 0 && <li className="muted">and {hidden} more</li>}
      </ul>
      {note.studies.length > 0 && (
        <div className="import-compare">
          {note.studies.slice(0, 3).map((study, index) => (
            <Button key={study} onClick={() => onCompare(study as StudyUid)}>
              {note.studies.length === 1 ? "Compare them" : `Compare those of study ${index + 1}`}
            </Button>
          ))}
        </div>
      )}
    </li>
  );
}
