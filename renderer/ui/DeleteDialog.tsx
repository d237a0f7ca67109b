import { type ReactNode, useState } from "react";
import { Button } from "./Button.tsx";
import { Dialog } from "./Dialog.tsx";
import { ErrorNotice } from "./ErrorNotice.tsx";

interface DeleteDialogProps {
  readonly title: string;
  /** What goes and what stays. */
  readonly children: ReactNode;
  readonly remove: () => Promise<unknown>;
  readonly onClose: () => void;
  readonly onDeleted: () => void;
}

/** Asks before something is deleted for good; where it fails it says why and stays open. */
export function DeleteDialog({ title, children, remove, onClose, onDeleted }: DeleteDialogProps) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  async function start() {
    setBusy(true);
    setError(null);
    try {
      await remove();
      onDeleted();
    } catch (thrown) {
      setError(thrown);
      setBusy(false);
    }
  }

  return (
    <Dialog
      title={title}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Keep</Button>
          <Button kind="danger" disabled={busy} onClick={() => void start()}>
            {busy ? "Deleting" : "Delete"}
          </Button>
        </>
      }
    >
      <div className="delete-text">
        {children}
        {error !== null && <ErrorNotice title="Not deleted" error={error} />}
      </div>
    </Dialog>
  );
}
