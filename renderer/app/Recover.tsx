import { type FormEvent, useState } from "react";
import type { Client } from "../../core/client.ts";
import { Button } from "../ui/Button.tsx";
import { ErrorNotice } from "../ui/ErrorNotice.tsx";
import { Field } from "../ui/Field.tsx";
import { passphraseProblem } from "./passphrase.ts";

interface RecoverProps {
  readonly client: Client;
  readonly reason: string;
  readonly onBack: (() => void) | null;
  readonly onDone: () => void;
}

/** Opens the archive with the recovery key and sets a new passphrase. */
export function Recover({ client, reason, onBack, onDone }: RecoverProps) {
  const [recoveryKey, setRecoveryKey] = useState("");
  const [passphrase, setPassphrase] = useState("");
  const [repeated, setRepeated] = useState("");
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const problem = passphraseProblem(passphrase, repeated);

  async function recover(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (problem || busy) return;
    setBusy(true);
    setError(null);
    try {
      await client.call("archive.recover", {
        recoveryKey: recoveryKey.trim(),
        protection: "passphrase",
        passphrase,
      });
      onDone();
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }

  return (
    <main className="gate">
      <form className="gate-card" onSubmit={(event) => void recover(event)}>
        <div>
          <p className="gate-product">MEDITRON Imaging Assistant</p>
          <h1>Open with the recovery key</h1>
        </div>
        {reason !== "" && <p>{reason}</p>}
        <Field
          label="Recovery key"
          autoComplete="off"
          spellCheck={false}
          value={recoveryKey}
          onChange={(event) => setRecoveryKey(event.target.value)}
        />
        <div className="gate-pair">
          <Field
            label="New passphrase"
            type="password"
            autoComplete="new-password"
            value={passphrase}
            onChange={(event) => setPassphrase(event.target.value)}
          />
          <Field
            label="New passphrase again"
            type="password"
            autoComplete="new-password"
            value={repeated}
            error={tried ? problem : null}
            onChange={(event) => setRepeated(event.target.value)}
          />
        </div>
        {error !== null && <ErrorNotice title="Not opened" error={error} />}
        <div className="gate-actions">
          {onBack && (
            <Button kind="quiet" onClick={onBack}>
              Back
            </Button>
          )}
          <Button kind="primary" type="submit" disabled={busy || recoveryKey.trim() === ""}>
            {busy ? "Opening" : "Open the archive"}
          </Button>
        </div>
      </form>
    </main>
  );
}
