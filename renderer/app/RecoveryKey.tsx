import { useState } from "react";
import { Button } from "../ui/Button.tsx";
import { useNotice } from "../ui/Notices.tsx";

interface RecoveryKeyProps {
  readonly recoveryKey: string;
  readonly onDone: () => void;
}

/** Shown once; the app keeps no copy that it could show again. */
export function RecoveryKey({ recoveryKey, onDone }: RecoveryKeyProps) {
  const [kept, setKept] = useState(false);
  const say = useNotice();

  async function copy() {
    try {
      await navigator.clipboard.writeText(recoveryKey);
      say("Recovery key copied. Keep it outside this computer.");
    } catch {
      say("Copying is not allowed here. Write the key down or print it.");
    }
  }

  return (
    <main className="gate">
      <div className="gate-card recovery">
        <div>
          <p className="gate-product">MEDITRON Imaging Assistant</p>
          <h1>Recovery key</h1>
        </div>
        <p>
          If the key store is lost or the passphrase forgotten, only this key opens the archive. It is shown
          once and kept nowhere. Put it where this computer's data is not.
        </p>
        <output className="recovery-key" aria-label="Recovery key">
          {recoveryKey}
        </output>
        <div className="gate-row">
          <Button icon="copy" onClick={() => void copy()}>
            Copy
          </Button>
          <Button icon="print" onClick={() => window.print()}>
            Print
          </Button>
        </div>
        <label className="check">
          <input type="checkbox" checked={kept} onChange={(event) => setKept(event.target.checked)} />
          <span>I have put the recovery key in a safe place.</span>
        </label>
        <div className="gate-actions">
          <Button kind="primary" disabled={!kept} onClick={onDone}>
            Continue
          </Button>
        </div>
      </div>
    </main>
  );
}
