import { type FormEvent, useState } from "react";
import type { Client } from "../../core/client.ts";
import { Button } from "../ui/Button.tsx";
import { ErrorNotice } from "../ui/ErrorNotice.tsx";
import { Field } from "../ui/Field.tsx";
import { NewPassphraseFields, useNewPassphrase } from "./NewPassphrase.tsx";

interface RecoverProps {
  readonly client: Client;
  readonly reason: string;
  readonly onBack: (() => void) | null;
  readonly onDone: () => void;
}

/** Opens the archive with the recovery key and sets a new passphrase. */
export function Recover({ client, reason, onBack, onDone }: RecoverProps) {
  const [recoveryKey, setRecoveryKey] = useState("");
  const chosen = useNewPassphrase();
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  async function recover(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (chosen.problem || busy) return;
    setBusy(true);
    setError(null);
    try {
      await client.call("archive.recover", {
        recoveryKey: recoveryKey.trim(),
        protection: "passphrase",
        passphrase: chosen.passphrase,
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
        <NewPassphraseFields chosen={chosen} name="New passphrase" tried={tried} />
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
