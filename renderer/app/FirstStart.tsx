import { type FormEvent, useState } from "react";
import type { Client } from "../../core/client.ts";
import type { ArchiveStatus, KeyProtection } from "../../core/settings.ts";
import { Button } from "../ui/Button.tsx";
import { Choice } from "../ui/Choice.tsx";
import { ErrorNotice } from "../ui/ErrorNotice.tsx";
import { desktopBridge } from "./bridge.ts";
import { NewPassphraseFields, useNewPassphrase } from "./NewPassphrase.tsx";
import { protectionWords } from "./protection-words.ts";
import { Restore } from "./Restore.tsx";
import { RecoveryKey } from "./RecoveryKey.tsx";

interface FirstStartProps {
  readonly client: Client;
  readonly archive: Extract<ArchiveStatus, { state: "new" }>;
  readonly onDone: () => void;
}

export function FirstStart({ client, archive, onDone }: FirstStartProps) {
  const { protections, dataFolder } = archive;
  const [protection, setProtection] = useState<KeyProtection>(protections[0] ?? "passphrase");
  const chosen = useNewPassphrase();
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [restoring, setRestoring] = useState(false);
  const [recoveryKey, setRecoveryKey] = useState<string | null>(null);

  const problem = protection === "passphrase" ? chosen.problem : null;

  async function make(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (problem || busy) return;
    setBusy(true);
    setError(null);
    try {
      const made = await client.call("archive.create", {
        protection,
        passphrase: protection === "passphrase" ? chosen.passphrase : null,
      });
      setRecoveryKey(made.recoveryKey);
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }

  if (recoveryKey !== null) return <RecoveryKey recoveryKey={recoveryKey} onDone={onDone} />;
  if (restoring) {
    const back = () => setRestoring(false);
    return <Restore client={client} native={desktopBridge() !== null} onBack={back} onDone={onDone} />;
  }
  return (
    <main className="gate">
      <form className="gate-card" onSubmit={(event) => void make(event)}>
        <div>
          <p className="gate-product">MEDITRON Imaging Assistant</p>
          <h1>Make the archive</h1>
        </div>
        <p>
          Studies and answers stay on this machine, encrypted. Choose how the key is kept. Nothing is sent
          anywhere.
        </p>
        <fieldset className="choices">
          <legend className="visually-hidden">How the key is kept</legend>
          {protections.map((one, index) => (
            <Choice
              key={one}
              name="protection"
              title={`${protectionWords[one].title}${index === 0 ? " (suggested)" : ""}`}
              text={protectionWords[one].text}
              checked={protection === one}
              onChoose={() => setProtection(one)}
            />
          ))}
        </fieldset>
        {protection === "passphrase" && (
          <NewPassphraseFields chosen={chosen} name="Passphrase" tried={tried} />
        )}
        {error !== null && <ErrorNotice title="The archive was not made" error={error} />}
        <p className="muted small path">Data folder: {dataFolder}</p>
        <p className="note small">
          Research use only. Not a medical device: answers must not be used for diagnosis or treatment.
        </p>
        <div className="gate-actions">
          <Button kind="quiet" disabled={busy} onClick={() => setRestoring(true)}>
            Restore from a backup
          </Button>
          <Button kind="primary" type="submit" disabled={busy || protections.length === 0}>
            {busy ? "Making the archive" : "Make the archive"}
          </Button>
        </div>
      </form>
    </main>
  );
}
