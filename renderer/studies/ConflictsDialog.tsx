import { useCallback, useState } from "react";
import type { Client } from "../../core/client.ts";
import type { StudyUid } from "../../core/study.ts";
import type { Variant } from "../../core/variant.ts";
import { useCall } from "../app/use-call.ts";
import { bytesText } from "../settings/bytes-text.ts";
import { Button } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { ErrorNotice } from "../ui/ErrorNotice.tsx";
import { useNotice } from "../ui/Notices.tsx";
import { ConflictPicture } from "./ConflictPicture.tsx";
import { type Conflict, conflictsOf, differenceText } from "./conflicts.ts";
import { momentText } from "./study-text.ts";

interface ConflictsDialogProps {
  readonly client: Client;
  readonly studyInstanceUid: StudyUid;
  /** One series of it, or null. */
  readonly series: string | null;
  readonly onClose: () => void;
  /** Another file is shown from now on: what was read of the study before is out of date. */
  readonly onChanged: () => void;
}

/** Sections at once; a study that was sent twice may have a thousand. */
const page = 20;

/** Files with the identifier of another and other content: what differs, and which of them the study shows. */
export function ConflictsDialog({
  client,
  studyInstanceUid,
  series,
  onClose,
  onChanged,
}: ConflictsDialogProps) {
  const read = useCallback(
    async (signal: AbortSignal) => {
      const [variants, all] = await Promise.all([
        client.call("studies.variants", { studyInstanceUid }, signal),
        client.call("studies.series", { studyInstanceUid }, signal),
      ]);
      return conflictsOf(variants, all, series);
    },
    [client, studyInstanceUid, series],
  );
  const [conflicts, again] = useCall(read);
  const [shown, setShown] = useState(page);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const say = useNotice();

  async function choose(id: string) {
    setBusy(true);
    setError(null);
    try {
      await client.call("variants.choose", { id });
      say("The study shows this file now. The other one is kept.");
      again();
      onChanged();
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }

  const list = conflicts.status === "ready" ? conflicts.value : [];
  return (
    <Dialog title="More than one file for an image" wide onClose={onClose}>
      <div className="conflicts">
        <p>
          These files came with the same identifier (SOP Instance UID) and other content. All are kept as they
          came. The study shows one of them; you can change which, and change back.
        </p>
        {conflicts.status === "failed" && (
          <ErrorNotice title="The files could not be listed" error={conflicts.error} onRetry={again} />
        )}
        {error !== null && <ErrorNotice title="Not changed" error={error} />}
        {list.slice(0, shown).map((conflict, index) => (
          <ConflictSection
            key={conflict.sopInstanceUid}
            client={client}
            conflict={conflict}
            open={index === 0}
            busy={busy}
            onChoose={(id) => void choose(id)}
          />
        ))}
        {list.length > shown && (
          <Button onClick={() => setShown(shown + page)}>Show more ({list.length - shown} not shown)</Button>
        )}
      </div>
    </Dialog>
  );
}

interface ConflictSectionProps {
  readonly client: Client;
  readonly conflict: Conflict;
  readonly open: boolean;
  readonly busy: boolean;
  readonly onChoose: (id: string) => void;
}

function ConflictSection({ client, conflict, open: openAtFirst, busy, onChoose }: ConflictSectionProps) {
  const [open, setOpen] = useState(openAtFirst);
  const { sopInstanceUid, title, shownFrames, others } = conflict;
  const { first, chosenAt } = others[0]!;
  const how = chosenAt === undefined ? "It came first." : `Chosen ${momentText(chosenAt)}.`;
  return (
    <details
      className="conflict"
      open={open}
      onToggle={(event) => setOpen(event.currentTarget.open)}
      data-testid="conflict"
    >
      <summary>
        <strong>{title}</strong> <span className="muted">{differenceText(others.at(-1)!.difference)}</span>
      </summary>
      {/* Pictures of a closed section are not read. */}
      {open && (
        <>
          <div className="conflict-files">
            <figure>
              <ConflictPicture
                // Another file under the same identifier.
                key={first.sha256}
                client={client}
                source={{ type: "shown", sopInstanceUid, frames: shownFrames }}
                label={`Shown file of ${title}`}
              />
              <figcaption>
                <strong>Shown in the study</strong>
                <FileFacts importedAt={first.importedAt ?? ""} bytes={first.bytes} sha256={first.sha256} />
                <span className="muted">{how}</span>
              </figcaption>
            </figure>
            {others.map((other) => (
              <OtherFile
                key={other.id}
                client={client}
                other={other}
                title={title}
                busy={busy}
                onChoose={onChoose}
              />
            ))}
          </div>
          {others.map((other) => (
            <Differences key={other.id} variant={other} numbered={others.length > 1} />
          ))}
          <p className="muted small conflict-uid">SOP Instance UID {sopInstanceUid}</p>
        </>
      )}
    </details>
  );
}

interface OtherFileProps {
  readonly client: Client;
  readonly other: Variant;
  readonly title: string;
  readonly busy: boolean;
  readonly onChoose: (id: string) => void;
}

/** A file that cannot be shown is not offered in the place of one that may be whole. */
function OtherFile({ client, other, title, busy, onChoose }: OtherFileProps) {
  const [failed, setFailed] = useState(false);
  const fail = useCallback(() => setFailed(true), []);
  return (
    <figure>
      <ConflictPicture
        client={client}
        source={{ type: "variant", id: other.id, frames: other.numberOfFrames }}
        label={`Other file of ${title}`}
        onFailed={fail}
      />
      <figcaption>
        <strong>Kept beside it</strong>
        <FileFacts importedAt={other.importedAt} bytes={other.bytes} sha256={other.sha256} />
        {!failed && (
          <span>
            <Button disabled={busy} onClick={() => onChoose(other.id)}>
              Show this one
            </Button>
          </span>
        )}
      </figcaption>
    </figure>
  );
}

function FileFacts(props: { readonly importedAt: string; readonly bytes: number; readonly sha256: string }) {
  const { importedAt, bytes, sha256 } = props;
  const came = momentText(importedAt);
  return (
    <span className="number" title={`SHA-256 ${sha256}`}>
      {came === "" ? "" : `Imported ${came}, `}
      {bytesText(bytes)}
    </span>
  );
}

interface DifferencesProps {
  readonly variant: Variant;
  readonly numbered: boolean;
}

function Differences({ variant: { difference, importedAt }, numbered }: DifferencesProps) {
  if (!difference || difference.elements.length === 0) return null;
  return (
    <div className="conflict-table" role="region" aria-label="Header fields that differ" tabIndex={0}>
      <table>
        <caption>
          Header fields that differ{numbered ? `, file of ${momentText(importedAt)}` : ""}. Values stand here
          for technical fields alone.
        </caption>
        <thead>
          <tr>
            <th>Field</th>
            <th>Shown file</th>
            <th>Other file</th>
          </tr>
        </thead>
        <tbody>
          {difference.elements.map(({ tag, keyword, first, second }) => (
            <tr key={tag}>
              <td>{keyword || tag}</td>
              <td>{first ?? <span className="muted">not shown here</span>}</td>
              <td>{second ?? <span className="muted">not shown here</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {difference.moreElements > 0 && <p className="muted">and {difference.moreElements} more</p>}
    </div>
  );
}
