import type { Client } from "../../core/client.ts";
import { toAppError } from "../../core/errors.ts";
import { Button } from "../ui/Button.tsx";
import { Field } from "../ui/Field.tsx";
import { useNotice } from "../ui/Notices.tsx";

interface FolderFieldProps {
  readonly client: Client;
  /** With a window of its own the app has a dialog for folders; a browser has none that gives a path. */
  readonly native: boolean;
  readonly label: string;
  readonly value: string;
  readonly disabled: boolean;
  readonly onChange: (folder: string) => void;
}

/** A folder on the computer that the app runs on, by its whole path. */
export function FolderField({ client, native, label, value, disabled, onChange }: FolderFieldProps) {
  const say = useNotice();

  async function pick() {
    try {
      const { paths } = await client.call("files.pick", { kind: "folder" });
      if (paths[0] !== undefined) onChange(paths[0]);
    } catch (thrown) {
      say(toAppError(thrown).message);
    }
  }

  return (
    <div className="folder-field">
      <Field
        label={label}
        {...(native ? {} : { hint: "The whole path, on the computer that the app runs on." })}
        autoComplete="off"
        spellCheck={false}
        value={value}
        disabled={disabled}
        onChange={(event) => onChange(event.target.value)}
      />
      {native && (
        <Button icon="folder" disabled={disabled} onClick={() => void pick()}>
          Choose
        </Button>
      )}
    </div>
  );
}
