import { useRef } from "react";
import type { Client } from "../../core/client.ts";
import { toAppError } from "../../core/errors.ts";
import { Icon } from "../ui/Icon.tsx";
import { Menu } from "../ui/Menu.tsx";
import { useNotice } from "../ui/Notices.tsx";
import { chosenFiles } from "./dropped-files.ts";
import type { ImportSource } from "./run-import.ts";

interface ImportButtonProps {
  readonly client: Client;
  /** The app has a window of its own, with native dialogs. */
  readonly native: boolean;
  readonly primary?: boolean;
  readonly onImport: (source: ImportSource) => void;
}

export function ImportButton({ client, native, primary = false, onImport }: ImportButtonProps) {
  const filesInput = useRef<HTMLInputElement>(null);
  const folderInput = useRef<HTMLInputElement>(null);
  const say = useNotice();

  async function pick(kind: "files" | "folder") {
    if (!native) {
      (kind === "files" ? filesInput : folderInput).current?.click();
      return;
    }
    try {
      const { paths } = await client.call("files.pick", { kind });
      if (paths.length > 0) onImport({ type: "paths", paths });
    } catch (thrown) {
      say(toAppError(thrown).message);
    }
  }

  function upload(input: HTMLInputElement) {
    const files = input.files ? chosenFiles(input.files) : [];
    // Else choosing the same folder again would not be noticed.
    if (files.length > 0) onImport({ type: "files", files });
    input.value = "";
  }

  return (
    <>
      <Menu
        label="Import"
        align="end"
        className={primary ? "button button-primary" : "button"}
        items={[
          { key: "files", label: "Files or ZIP", onChoose: () => void pick("files") },
          { key: "folder", label: "Folder", onChoose: () => void pick("folder") },
          { key: "sample", label: "Sample study (phantom)", onChoose: () => onImport({ type: "sample" }) },
        ]}
      >
        <Icon name="import" />
        Import
        <Icon name="chevron" />
      </Menu>
      <input
        ref={filesInput}
        type="file"
        multiple
        hidden
        aria-label="Files to import"
        data-testid="import-files"
        onChange={(event) => upload(event.currentTarget)}
      />
      <input
        ref={(input) => {
          folderInput.current = input;
          // Not an attribute that React knows.
          if (input) input.webkitdirectory = true;
        }}
        type="file"
        multiple
        hidden
        aria-label="Folder to import"
        data-testid="import-folder"
        onChange={(event) => upload(event.currentTarget)}
      />
    </>
  );
}
