import { type DragEvent, useCallback, useDeferredValue, useState } from "react";
import type { Client } from "../../core/client.ts";
import type { Study, StudyUid } from "../../core/study.ts";
import { desktopBridge } from "../app/bridge.ts";
import { useCall } from "../app/use-call.ts";
import { Button } from "../ui/Button.tsx";
import { EmptyState } from "../ui/EmptyState.tsx";
import { ErrorNotice } from "../ui/ErrorNotice.tsx";
import { Icon } from "../ui/Icon.tsx";
import { useNotice } from "../ui/Notices.tsx";
import { ConflictsDialog } from "./ConflictsDialog.tsx";
import { DeleteStudyDialog } from "./DeleteStudyDialog.tsx";
import { droppedFiles } from "./dropped-files.ts";
import { ImportButton } from "./ImportButton.tsx";
import { ImportStatus } from "./ImportStatus.tsx";
import type { ImportSource } from "./run-import.ts";
import { StudyTable } from "./StudyTable.tsx";
import { UnfinishedImports } from "./UnfinishedImports.tsx";
import { useImport } from "./use-import.ts";
import "./conflicts.css";
import "./studies.css";

interface StudiesScreenProps {
  readonly client: Client;
  readonly native: boolean;
  readonly onOpen: (study: Study) => void;
  readonly onDeleted: (study: Study) => void;
  /** Counts the times that another file of an image was chosen: pictures from before are out of date. */
  readonly choices: number;
  readonly onChosen: (study: StudyUid) => void;
}

export function StudiesScreen(props: StudiesScreenProps) {
  const { client, native, onOpen, onDeleted, choices, onChosen } = props;
  const [search, setSearch] = useState("");
  const wanted = useDeferredValue(search.trim());
  const read = useCallback(
    (signal: AbortSignal) => client.call("studies.list", { search: wanted }, signal),
    [client, wanted],
  );
  const [studies, again] = useCall(read);
  const [conflicts, conflictsAgain] = useConflicts(client);
  const changed = useCallback(() => {
    again();
    conflictsAgain();
  }, [again, conflictsAgain]);
  const importer = useImport(client, changed);
  const importing = importer.state.status === "running";
  const [comparing, setComparing] = useState<StudyUid | null>(null);
  const [deleting, setDeleting] = useState<Study | null>(null);
  const [over, setOver] = useState(false);
  const say = useNotice();

  function startImport(source: ImportSource) {
    if (importing) say("An import is running. Wait for it, or cancel it first.");
    else void importer.start(source);
  }

  async function drop(event: DragEvent) {
    event.preventDefault();
    setOver(false);
    const bridge = desktopBridge();
    if (bridge) {
      const paths = [...event.dataTransfer.files].map((file) => bridge.pathOfFile(file)).filter(Boolean);
      if (paths.length > 0) startImport({ type: "paths", paths });
      return;
    }
    const files = await droppedFiles(event.dataTransfer);
    if (files.length > 0) startImport({ type: "files", files });
  }

  function dragOver(event: DragEvent) {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    setOver(true);
  }

  const list = studies.status === "ready" ? studies.value : [];
  return (
    <main
      className={over ? "studies-screen studies-over" : "studies-screen"}
      onDragOver={dragOver}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={(event) => void drop(event)}
    >
      <header className="studies-head">
        <h1>Studies</h1>
        <label className="studies-search">
          <Icon name="search" />
          <input
            className="input"
            type="search"
            placeholder="Search name, ID, description, accession number"
            aria-label="Search studies"
            // Else the browser keeps what is typed here in its profile.
            autoComplete="off"
            value={search}
            onChange={(event) => setSearch(event.target.value)}
          />
        </label>
        <ImportButton client={client} native={native} primary={list.length === 0} onImport={startImport} />
      </header>
      <UnfinishedImports
        client={client}
        importing={importing}
        onResume={(id) => startImport({ type: "resume", id })}
      />
      <ImportStatus importer={importer} onCompare={setComparing} />
      <div className="studies-body">
        {studies.status === "failed" && (
          <ErrorNotice title="The worklist could not be read" error={studies.error} onRetry={again} />
        )}
        {studies.status === "ready" && list.length > 0 && (
          <StudyTable
            key={choices}
            client={client}
            studies={list}
            conflicts={conflicts}
            onOpen={onOpen}
            onCompare={setComparing}
            onDelete={setDeleting}
          />
        )}
        {studies.status === "ready" && list.length === 0 && wanted !== "" && (
          <EmptyState icon="search" title="No study matches" text={`Nothing was found for "${wanted}".`}>
            <Button onClick={() => setSearch("")}>Clear the search</Button>
          </EmptyState>
        )}
        {studies.status === "ready" && list.length === 0 && wanted === "" && (
          <EmptyState
            icon="studies"
            title="No studies yet"
            text="Drop DICOM files, a folder or a ZIP here, or use Import. They are copied into the encrypted archive on this machine."
          >
            <Button icon="phantom" disabled={importing} onClick={() => startImport({ type: "sample" })}>
              Add the sample study (phantom)
            </Button>
          </EmptyState>
        )}
      </div>
      {over && (
        <div className="studies-drop" aria-hidden="true">
          <Icon name="import" />
          Drop to import
        </div>
      )}
      {comparing && (
        <ConflictsDialog
          client={client}
          studyInstanceUid={comparing}
          series={null}
          onClose={() => setComparing(null)}
          onChanged={() => onChosen(comparing)}
        />
      )}
      {deleting && (
        <DeleteStudyDialog
          client={client}
          study={deleting}
          onClose={() => setDeleting(null)}
          onDeleted={() => {
            onDeleted(deleting);
            setDeleting(null);
            changed();
          }}
        />
      )}
    </main>
  );
}

const none: ReadonlyMap<string, number> = new Map();

/** How many files are kept beside others, by study; none where it cannot be read, which the worklist says. */
function useConflicts(client: Client): readonly [ReadonlyMap<string, number>, () => void] {
  const read = useCallback(
    async (signal: AbortSignal) => {
      const studies = await client.call("studies.conflicts", {}, signal);
      return new Map(studies.map(({ studyInstanceUid, files }) => [studyInstanceUid as string, files]));
    },
    [client],
  );
  const [conflicts, again] = useCall(read);
  return [conflicts.status === "ready" ? conflicts.value : none, again];
}
