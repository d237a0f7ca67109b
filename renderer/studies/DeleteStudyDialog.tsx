import type { Client } from "../../core/client.ts";
import type { Study } from "../../core/study.ts";
import { dateText, nameText } from "../ask/words.ts";
import { DeleteDialog } from "../ui/DeleteDialog.tsx";
import { countText } from "./study-text.ts";

interface DeleteStudyDialogProps {
  readonly client: Client;
  readonly study: Study;
  readonly onClose: () => void;
  readonly onDeleted: () => void;
}

export function DeleteStudyDialog({ client, study, onClose, onDeleted }: DeleteStudyDialogProps) {
  const { studyInstanceUid } = study;
  return (
    <DeleteDialog
      title="Delete this study"
      remove={() => client.call("studies.delete", { studyInstanceUid })}
      onClose={onClose}
      onDeleted={onDeleted}
    >
      <p>
        <strong>{nameText(study.patientName)}</strong>, {study.patientId || "no ID"},{" "}
        {dateText(study.studyDate) || "no date"}, {study.studyDescription || "no description"}
      </p>
      <p>
        {countText(study.instanceCount, "image", "images")} and all answers about them are removed from this
        archive. The files they were imported from stay where they are.
      </p>
    </DeleteDialog>
  );
}
