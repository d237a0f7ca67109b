import { useState } from "react";
import type { Client } from "../../core/client.ts";
import { Dialog } from "../ui/Dialog.tsx";
import { RestoreForm } from "./RestoreForm.tsx";

interface RestoreDialogProps {
  readonly client: Client;
  readonly native: boolean;
  readonly onClose: () => void;
}

/** In front of everything else: while it runs there is no archive to work with. */
export function RestoreDialog({ client, native, onClose }: RestoreDialogProps) {
  const [bound, setBound] = useState(false);
  return (
    <Dialog title="Restore a backup" {...(bound ? {} : { onClose })}>
      <RestoreForm
        client={client}
        native={native}
        replaces
        onBound={setBound}
        onBack={null}
        // Everything that the page has read is of the archive before.
        onDone={() => location.reload()}
      />
    </Dialog>
  );
}
