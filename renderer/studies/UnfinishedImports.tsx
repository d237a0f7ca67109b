import { useCallback, useState } from "react";
import type { Client } from "../../core/client.ts";
import type { UnfinishedImport } from "../../core/archive-events.ts";
import { toAppError } from "../../core/errors.ts";
import { useCall } from "../app/use-call.ts";
import { Button } from "../ui/Button.tsx";
import { useNotice } from "../ui/Notices.tsx";
import { unfinishedText } from "./unfinished-text.ts";

interface UnfinishedImportsProps {
  readonly client: Client;
  /** While an import runs nothing is offered: the one that runs may be among them. */
  readonly importing: boolean;
  readonly onResume: (id: string) => void;
}

/** Imports that a crash, a power cut or a full disk cut short; nothing where there are none. */
export function UnfinishedImports({ client, importing, onResume }: UnfinishedImportsProps) {
  const read = useCallback(
    async (signal: AbortSignal) => (importing ? [] : client.call("imports.unfinished", {}, signal)),
    [client, importing],
  );
  const [unfinished, again] = useCall(read);
  const [busy, setBusy] = useState(false);
  const say = useNotice();

  async function discard(id: string) {
    setBusy(true);
    try {
      await client.call("imports.forget", { id });
      say("Discarded. What it had brought stays in the archive.");
    } catch (thrown) {
      say(toAppError(thrown).message);
    } finally {
      setBusy(false);
      again();
    }
  }

  // Who cannot see it can still import the folder again: no word of a list that was not read.
  const list: readonly UnfinishedImport[] = unfinished.status === "ready" ? unfinished.value : [];
  if (importing || list.length === 0) return null;
  return (
    <section className="import-status" aria-label="Unfinished imports">
      {list.map((one) => (
        <div key={one.id} className="import-line">
          <span className="import-result ellipsis number" title={one.paths.join("\n")}>
            {unfinishedText(one)}
          </span>
          <Button disabled={busy} onClick={() => onResume(one.id)}>
            Go on
          </Button>
          <Button kind="quiet" disabled={busy} onClick={() => void discard(one.id)}>
            Discard
          </Button>
        </div>
      ))}
    </section>
  );
}
