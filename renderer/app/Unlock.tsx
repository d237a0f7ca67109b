import { type FormEvent, useState } from "react";
import type { Client } from "../../core/client.ts";
import type { ArchiveStatus } from "../../core/settings.ts";
import { Button } from "../ui/Button.tsx";
import { ErrorNotice } from "../ui/ErrorNotice.tsx";
import { Field } from "../ui/Field.tsx";
import { Recover } from "./Recover.tsx";

interface UnlockProps {
  readonly client: Client;
  readonly archive: Extract<ArchiveStatus, { state: "locked" }>;
  readonly onDone: () => void;
}

export function Unlock({ client, archive, onDone }: UnlockProps) {
  const [passphrase, setPassphrase] = useState("");
  const [recovering, setRecovering] = useState(archive.protection !== "passphrase");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  async function unlock(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await client.call("archive.unlock", { passphrase });
      onDone();
    } catch (thrown) {
      setError(thrown);
      setPassphrase("");
    } finally {
      setBusy(false);
    }
  }

  if (recovering) {
    const back = archive.protection === "passphrase" ? () => setRecovering(false) : null;
    return <Recover client={client} reason={archive.reason} onBack={back} onDone={onDone} />;
  }
  return (
    <main className="gate">
      <form className="gate-card" onSubmit={(event) => void unlock(event)}>
        <div>
          <p className="gate-product">MEDITRON Imaging Assistant</p>
          <h1>The archive is locked</h1>
        </div>
        {archive.reason !== "" && <p>{archive.reason}</p>}
        <Field
          label="Passphrase"
          type="password"
          autoComplete="current-password"
          autoFocus
          value={passphrase}
          onChange={(event) => setPassphrase(event.target.value)}
        />
        {error !== null && <ErrorNotice title="Not unlocked" error={error} />}
        <div className="gate-actions">
          <Button kind="quiet" onClick={() => setRecovering(true)}>
            Use the recovery key
          </Button>
          <Button kind="primary" type="submit" disabled={busy || passphrase === ""}>
            {busy ? "Unlocking" : "Unlock"}
          </Button>
        </div>
      </form>
    </main>
  );
}
