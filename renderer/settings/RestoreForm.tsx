import { type FormEvent, useEffect, useState } from "react";
import type { Client } from "../../core/client.ts";
import type { BackupInfo } from "../../core/maintenance.ts";
import { errorRecord } from "../../core/errors.ts";
import { Button } from "../ui/Button.tsx";
import { ErrorNotice } from "../ui/ErrorNotice.tsx";
import { Field } from "../ui/Field.tsx";
import { FolderField } from "./FolderField.tsx";
import { backupText, needsText } from "./upkeep.ts";
import { UpkeepStatus } from "./UpkeepStatus.tsx";
import { useUpkeep } from "./use-upkeep.ts";

interface RestoreFormProps {
  readonly client: Client;
  readonly native: boolean;
  /** There is an archive, which is set aside. */
  readonly replaces: boolean;
  /** True while it must not be left: it runs, or has ended with another archive. */
  readonly onBound: (bound: boolean) => void;
  /** Null where there is another way back. */
  readonly onBack: (() => void) | null;
  readonly onDone: () => void;
}

type Key = "none" | "passphrase" | "recovery-key";

/** First what the folder holds and which key it takes, then the restore itself. */
export function RestoreForm(props: RestoreFormProps) {
  const { client, native, replaces, onBound, onBack, onDone } = props;
  const [folder, setFolder] = useState("");
  const [info, setInfo] = useState<BackupInfo | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [key, setKey] = useState<Key>("none");
  const [secret, setSecret] = useState("");
  const [salvage, setSalvage] = useState(false);
  const upkeep = useUpkeep(client);
  const state = upkeep.states.restore;
  const finished = state.status === "done";
  const bound = upkeep.busy || finished;
  const damaged = state.status === "failed" && errorRecord(state.error).code === "backup-damaged";

  useEffect(() => onBound(bound), [bound, onBound]);

  async function look() {
    setError(null);
    setInfo(null);
    try {
      const found = await client.call("archive.backupInfo", { folder: folder.trim() });
      setInfo(found);
      setKey(found.needs === "nothing" ? "none" : found.needs);
    } catch (thrown) {
      setError(thrown);
    }
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    if (upkeep.busy || finished || folder.trim() === "") return;
    if (!info) {
      void look();
      return;
    }
    upkeep.start({
      job: "restore",
      folder: folder.trim(),
      passphrase: key === "passphrase" ? secret : null,
      recoveryKey: key === "recovery-key" ? secret.trim() : null,
      salvage,
      setAside: replaces,
    });
  }

  return (
    <form className="restore" onSubmit={submit}>
      {replaces && (
        <p className="note">
          The studies and answers of this archive will no longer be listed: the backup takes their place. This
          archive is moved to <strong>set-aside</strong> in the data folder and can be opened from there. What
          came after the backup is only in the archive that is set aside.
        </p>
      )}
      {!finished && (
        <FolderField
          client={client}
          native={native}
          label="Folder of the backup"
          value={folder}
          disabled={upkeep.busy}
          onChange={(chosen) => {
            setFolder(chosen);
            setInfo(null);
            setSecret("");
          }}
        />
      )}
      {error !== null && <ErrorNotice title="No backup to restore" error={error} />}
      {info && !finished && (
        <>
          <p>
            <strong className="number">{backupText(info)}</strong> {needsText[info.needs]}
          </p>
          <KeyFields info={info} chosen={key} secret={secret} onChoose={setKey} onSecret={setSecret} />
          {(damaged || salvage) && (
            <label className="check">
              <input
                type="checkbox"
                checked={salvage}
                disabled={upkeep.busy}
                onChange={(event) => setSalvage(event.target.checked)}
              />
              <span>Take what is whole of a damaged backup. What is not is left out, and counted.</span>
            </label>
          )}
        </>
      )}
      <UpkeepStatus client={client} job="restore" state={state} onCancel={upkeep.cancel} />
      {finished && key === "recovery-key" && (
        <p className="note">
          It was opened by the recovery key. At the next start enter the recovery key once more, and choose a
          passphrase.
        </p>
      )}
      <div className="gate-actions">
        {onBack && !bound && (
          <Button kind="quiet" onClick={onBack}>
            Back
          </Button>
        )}
        {finished ? (
          <Button kind="primary" onClick={onDone}>
            Open the restored archive
          </Button>
        ) : (
          <Button
            kind={info && replaces ? "danger" : "primary"}
            type="submit"
            disabled={
              upkeep.busy || folder.trim() === "" || (info !== null && key !== "none" && secret === "")
            }
          >
            {info ? (replaces ? "Restore in its place" : "Restore") : "Look at the backup"}
          </Button>
        )}
      </div>
    </form>
  );
}

interface KeyFieldsProps {
  readonly info: BackupInfo;
  readonly chosen: Key;
  readonly secret: string;
  readonly onChoose: (key: Key) => void;
  readonly onSecret: (secret: string) => void;
}

function KeyFields({ info, chosen, secret, onChoose, onSecret }: KeyFieldsProps) {
  if (chosen === "none") return null;
  return (
    <div className="restore-key">
      <Field
        key={chosen}
        label={chosen === "passphrase" ? "Passphrase of the backup" : "Recovery key"}
        type={chosen === "passphrase" ? "password" : "text"}
        autoComplete="off"
        spellCheck={false}
        value={secret}
        onChange={(event) => onSecret(event.target.value)}
      />
      {info.needs === "passphrase" && (
        <Button
          kind="quiet"
          onClick={() => {
            onSecret("");
            onChoose(chosen === "passphrase" ? "recovery-key" : "passphrase");
          }}
        >
          {chosen === "passphrase" ? "Use the recovery key" : "Use the passphrase"}
        </Button>
      )}
    </div>
  );
}
