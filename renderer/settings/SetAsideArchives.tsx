import { useCallback, useState } from "react";
import type { Client } from "../../core/client.ts";
import type { SetAsideArchive } from "../../core/maintenance.ts";
import { useCall } from "../app/use-call.ts";
import { momentText } from "../studies/study-text.ts";
import { Button } from "../ui/Button.tsx";
import { DeleteDialog } from "../ui/DeleteDialog.tsx";
import { ErrorNotice } from "../ui/ErrorNotice.tsx";
import { bytesText } from "./bytes-text.ts";
import { setAsideAt } from "./upkeep.ts";

interface SetAsideArchivesProps {
  readonly client: Client;
}

/** Archives that a restored backup took the place of. They hold studies and room until somebody deletes them. */
export function SetAsideArchives({ client }: SetAsideArchivesProps) {
  const read = useCallback((signal: AbortSignal) => client.call("archive.setAside", {}, signal), [client]);
  const [archives, again] = useCall(read);
  const [chosen, setChosen] = useState<SetAsideArchive | null>(null);
  if (archives.status === "failed") {
    return (
      <ErrorNotice title="Archives set aside could not be listed" error={archives.error} onRetry={again} />
    );
  }
  if (archives.status !== "ready" || archives.value.length === 0) return null;
  return (
    <div className="upkeep-part">
      <h3>Archives set aside</h3>
      <p className="muted">
        A restored backup took their place. Each holds its studies, encrypted, until you delete it.
      </p>
      <ul className="set-aside" aria-label="Archives set aside">
        {archives.value.map((archive) => (
          <li key={archive.name}>
            <span className="number">
              {momentText(setAsideAt(archive))}, {bytesText(archive.bytes)}
            </span>
            <Button
              aria-label={`Delete the archive set aside ${momentText(setAsideAt(archive))}`}
              onClick={() => setChosen(archive)}
            >
              Delete
            </Button>
          </li>
        ))}
      </ul>
      {chosen && (
        <DeleteDialog
          title="Delete the archive that was set aside"
          remove={() => client.call("archive.deleteSetAside", { name: chosen.name })}
          onClose={() => setChosen(null)}
          onDeleted={() => {
            setChosen(null);
            again();
          }}
        >
          <p>
            The archive that was set aside {momentText(setAsideAt(chosen))} ({bytesText(chosen.bytes)}) is
            deleted with its keys, for good. The open archive and all backups stay.
          </p>
        </DeleteDialog>
      )}
    </div>
  );
}
