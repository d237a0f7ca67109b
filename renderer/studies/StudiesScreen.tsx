import { type DragEvent, useCallback, useDeferredValue, useState } from "react";
import type { Client } from "../../core/client.ts";
import type { Study } from "../../core/study.ts";
import { desktopBridge } from "../app/bridge.ts";
import { useCall } from "../app/use-call.ts";
import { Button } from "../ui/Button.tsx";
import { EmptyState } from "../ui/EmptyState.tsx";
import { ErrorNotice } from "../ui/ErrorNotice.tsx";
import { Icon } from "../ui/Icon.tsx";
import { useNotice } from "../ui/Notices.tsx";
import { DeleteStudyDialog } from "./DeleteStudyDialog.tsx";
import { droppedFiles } from "./dropped-files.ts";
import { ImportButton } from "./ImportButton.tsx";
import { ImportStatus } from "./ImportStatus.tsx";
import type { ImportSource } from "./run-import.ts";
import { StudyTable } from "./StudyTable.tsx";
import { useImport } from "./use-import.ts";
import "./studies.css";

interface StudiesScreenProps {
  readonly client: Client;
  readonly native: boolean;
  readonly onOpen: (study: Study) => void;
  readonly onDeleted: (study: Study) => void;
}

export function StudiesScreen({ client, native, onOpen, onDeleted }: StudiesScreenProps) {
  const [search, setSearch] = useState("");
  const wanted = useDeferredValue(search.trim());
  const read = useCallback(
    (signal: AbortSignal) => client.call("studies.list", { search: wanted }, signal),
    [client, wanted],
  );
  const [studies, again] = useCall(read);
  const importer = useImport(client, again);
  const [deleting, setDeleting] = useState<Study | null>(null);
  const [over, setOver] = useState(false);
  const say = useNotice();

  function startImport(source: ImportSource) {
    if (importer.state.status === "running") say("An import is running. Wait for it, or cancel it first.");
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
            value={search}
            onChange={(event) => setSearch(event.target.value)}
          />
        </label>
        <ImportButton client={client} native={native} primary={list.length === 0} onImport={startImport} />
      </header>
      <ImportStatus importer={importer} />
      <div className="studies-body">
        {studies.status === "failed" && (
          <ErrorNotice title="The worklist could not be read" error={studies.error} onRetry={again} />
        )}
        {studies.status === "ready" && list.length > 0 && (
          <StudyTable client={client} studies={list} onOpen={onOpen} onDelete={setDeleting} />
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
            <Button
              icon="phantom"
              disabled={importer.state.status === "running"}
              onClick={() => startImport({ type: "sample" })}
            >
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
      {deleting && (
        <DeleteStudyDialog
          client={client}
          study={deleting}
          onClose={() => setDeleting(null)}
          onDeleted={() => {
            onDeleted(deleting);
            setDeleting(null);
            again();
          }}
        />
      )}
    </main>
  );
}
