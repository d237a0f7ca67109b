import { useState } from "react";
import type { Client } from "../../core/client.ts";
import { RestoreForm } from "../settings/RestoreForm.tsx";
import { Button } from "../ui/Button.tsx";
import "../settings/settings.css";

interface RestoreProps {
  readonly client: Client;
  readonly native: boolean;
  readonly onBack: () => void;
  readonly onDone: () => void;
}

/** The first start on a computer whose archive comes out of a backup. */
export function Restore({ client, native, onBack, onDone }: RestoreProps) {
  const [bound, setBound] = useState(false);
  return (
    <main className="gate">
      <div className="gate-card">
        <div>
          <p className="gate-product">MEDITRON Imaging Assistant</p>
          <h1>Restore from a backup</h1>
        </div>
        <RestoreForm client={client} native={native} replaces={false} onBound={setBound} onDone={onDone} />
        {!bound && (
          <div>
            <Button kind="quiet" onClick={onBack}>
              Back
            </Button>
          </div>
        )}
      </div>
    </main>
  );
}
