import { useState } from "react";
import type { Client } from "../../core/client.ts";
import type { Study } from "../../core/study.ts";
import { dateText, nameText } from "../ask/words.ts";
import { Button } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { ErrorNotice } from "../ui/ErrorNotice.tsx";
import { countText } from "./study-text.ts";

interface DeleteStudyDialogProps {
  readonly client: Client;
  readonly study: Study;
  readonly onClose: () => void;
  readonly onDeleted: () => void;
}

export function DeleteStudyDialog({ client, study, onClose, onDeleted }: DeleteStudyDialogProps) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  async function remove() {
    setBusy(true);
    setError(null);
    try {
      await client.call("studies.delete", { studyInstanceUid: study.studyInstanceUid });
      onDeleted();
    } catch (thrown) {
      setError(thrown);
      setBusy(false);
    }
  }

  return (
    <Dialog
      title="Delete this study"
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Keep</Button>
          <Button kind="danger" disabled={busy} onClick={() => void remove()}>
            {busy ? "Deleting" : "Delete"}
          </Button>
        </>
      }
    >
      <div className="delete-text">
        <p>
          <strong>{nameText(study.patientName)}</strong>, {study.patientId || "no ID"},{" "}
          {dateText(study.studyDate) || "no date"}, {study.studyDescription || "no description"}
        </p>
        <p>
          {countText(study.instanceCount, "image", "images")} and all answers about them are removed from this
          archive. The files they were imported from stay where they are.
        </p>
        {error !== null && <ErrorNotice title="Not deleted" error={error} />}
      </div>
    </Dialog>
  );
}
