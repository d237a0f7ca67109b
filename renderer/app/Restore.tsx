import type { Client } from "../../core/client.ts";
import { RestoreForm } from "../settings/RestoreForm.tsx";
import "../settings/settings.css";

interface RestoreProps {
  readonly client: Client;
  readonly native: boolean;
  readonly onBack: () => void;
  readonly onDone: () => void;
}

/** The first start on a computer whose archive comes out of a backup. */
export function Restore({ client, native, onBack, onDone }: RestoreProps) {
  return (
    <main className="gate">
      <div className="gate-card">
        <div>
          <p className="gate-product">MEDITRON Imaging Assistant</p>
          <h1>Restore from a backup</h1>
        </div>
        <p>
          A backup is a folder that this app wrote. You are told what it holds and which key it takes before
          anything is restored.
        </p>
        <RestoreForm
          client={client}
          native={native}
          replaces={false}
          onBound={nothing}
          onBack={onBack}
          onDone={onDone}
        />
      </div>
    </main>
  );
}

const nothing = () => undefined;
