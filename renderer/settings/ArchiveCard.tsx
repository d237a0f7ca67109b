import { useCallback, useState } from "react";
import type { Client } from "../../core/client.ts";
import type { AppInfo, ArchiveStatus } from "../../core/settings.ts";
import { protectionWords } from "../app/protection-words.ts";
import { useCall } from "../app/use-call.ts";
import { countText } from "../studies/study-text.ts";
import { Button } from "../ui/Button.tsx";
import { bytesText } from "./bytes-text.ts";
import { FolderField } from "./FolderField.tsx";
import { RestoreDialog } from "./RestoreDialog.tsx";
import { SetAsideArchives } from "./SetAsideArchives.tsx";
import { keyNeeded } from "./upkeep.ts";
import { UpkeepStatus } from "./UpkeepStatus.tsx";
import type { Upkeep } from "./use-upkeep.ts";

interface ArchiveCardProps {
  readonly client: Client;
  /** As it was when it was opened; what it holds is read again. */
  readonly archive: Extract<ArchiveStatus, { state: "ready" }>;
  readonly native: boolean;
  readonly upkeep: Upkeep;
  readonly info: AppInfo | null;
}

export function ArchiveCard({ client, archive: opened, native, upkeep, info }: ArchiveCardProps) {
  const read = useCallback((signal: AbortSignal) => client.call("archive.status", {}, signal), [client]);
  const [status] = useCall<ArchiveStatus>(read);
  const archive = status.status === "ready" && status.value.state === "ready" ? status.value : opened;
  const words = protectionWords[archive.protection];
  return (
    <section className="card" aria-label="Archive">
      <h2>Archive</h2>
      <p>
        Encrypted. The key is kept in: <strong>{words.title.toLowerCase()}</strong>. {words.text}
      </p>
      <dl className="facts">
        <dt>Holds</dt>
        <dd className="number">
          {countText(archive.studies, "study", "studies")}, {countText(archive.instances, "image", "images")},{" "}
          {bytesText(archive.bytes)}
        </dd>
      </dl>
      {archive.repairs.length > 0 && (
        <div className="note">
          <strong>Set right when the archive was opened</strong>
          <ul>
            {archive.repairs.map((repair) => (
              <li key={repair}>{repair}</li>
            ))}
          </ul>
        </div>
      )}
      <Check client={client} upkeep={upkeep} />
      <Backup
        client={client}
        native={native}
        upkeep={upkeep}
        needed={keyNeeded(archive.protection, info?.keyLocation ?? "")}
      />
      <Restore client={client} native={native} busy={upkeep.busy} />
      <SetAsideArchives client={client} />
    </section>
  );
}

function Check({ client, upkeep }: { readonly client: Client; readonly upkeep: Upkeep }) {
  return (
    <div className="upkeep-part">
      <h3>Check</h3>
      <p className="muted">
        Reads every stored file and compares it with what was imported. Nothing is changed, and you can go on
        working meanwhile.
      </p>
      <div>
        <Button disabled={upkeep.busy} onClick={() => upkeep.start({ job: "check" })}>
          Check the archive
        </Button>
      </div>
      <UpkeepStatus client={client} job="check" state={upkeep.states.check} onCancel={upkeep.cancel} />
    </div>
  );
}

interface BackupProps {
  readonly client: Client;
  readonly native: boolean;
  readonly upkeep: Upkeep;
  /** What opens the backup. */
  readonly needed: string;
}

function Backup({ client, native, upkeep, needed }: BackupProps) {
  const [folder, setFolder] = useState("");
  return (
    <div className="upkeep-part">
      <h3>Back up</h3>
      <p className="muted">
        Copies the archive, encrypted as it is, into a new or empty folder. The backup is what the archive is
        now; you can go on working meanwhile. Studies that you delete later stay in it.
      </p>
      <dl className="facts">
        <dt>Opens with</dt>
        <dd>{needed}</dd>
      </dl>
      <FolderField
        client={client}
        native={native}
        label="Folder for the backup"
        value={folder}
        disabled={upkeep.busy}
        onChange={setFolder}
      />
      <div>
        <Button
          disabled={upkeep.busy || folder.trim() === ""}
          onClick={() => upkeep.start({ job: "backup", folder: folder.trim() })}
        >
          Back up
        </Button>
      </div>
      <UpkeepStatus client={client} job="backup" state={upkeep.states.backup} onCancel={upkeep.cancel} />
    </div>
  );
}

function Restore(props: { readonly client: Client; readonly native: boolean; readonly busy: boolean }) {
  const { client, native, busy } = props;
  const [open, setOpen] = useState(false);
  return (
    <div className="upkeep-part">
      <h3>Restore</h3>
      <p className="muted">
        Puts a backup in the place of this archive. This archive is set aside in the data folder, not deleted.
      </p>
      <div>
        <Button disabled={busy} onClick={() => setOpen(true)}>
          Restore a backup
        </Button>
      </div>
      {open && <RestoreDialog client={client} native={native} onClose={() => setOpen(false)} />}
    </div>
  );
}
