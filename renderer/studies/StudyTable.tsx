import { useState } from "react";
import type { Client } from "../../core/client.ts";
import type { Study, StudyUid } from "../../core/study.ts";
import { dateText, nameText } from "../ask/words.ts";
import { Button } from "../ui/Button.tsx";
import { IconButton } from "../ui/IconButton.tsx";
import { StudyThumbnail } from "./StudyThumbnail.tsx";
import { countText, personText, timeText } from "./study-text.ts";

interface StudyTableProps {
  readonly client: Client;
  readonly studies: readonly Study[];
  /** Files that are kept beside others, by study. */
  readonly conflicts: ReadonlyMap<string, number>;
  readonly onOpen: (study: Study) => void;
  readonly onCompare: (study: StudyUid) => void;
  readonly onDelete: (study: Study) => void;
}

/** Rows drawn at once; an archive of years has tens of thousands. */
const page = 100;

export function StudyTable(props: StudyTableProps) {
  const { client, studies, conflicts, onOpen, onCompare, onDelete } = props;
  const [shown, setShown] = useState(page);
  return (
    <>
      <table className="studies">
        <thead>
          <tr>
            <th aria-label="Picture" />
            <th>Patient</th>
            <th>Study</th>
            <th>Date</th>
            <th>Modality</th>
            <th className="studies-count">Images</th>
            <th aria-label="Actions" />
          </tr>
        </thead>
        <tbody>
          {studies.slice(0, shown).map((study) => (
            <StudyRow
              key={study.studyInstanceUid}
              client={client}
              study={study}
              conflicts={conflicts.get(study.studyInstanceUid) ?? 0}
              onOpen={() => onOpen(study)}
              onCompare={() => onCompare(study.studyInstanceUid)}
              onDelete={() => onDelete(study)}
            />
          ))}
        </tbody>
      </table>
      {studies.length > shown && (
        <div className="studies-more">
          <Button onClick={() => setShown(shown + page)}>
            Show more ({studies.length - shown} not shown)
          </Button>
        </div>
      )}
    </>
  );
}

interface StudyRowProps {
  readonly client: Client;
  readonly study: Study;
  readonly conflicts: number;
  readonly onOpen: () => void;
  readonly onCompare: () => void;
  readonly onDelete: () => void;
}

function StudyRow({ client, study, conflicts, onOpen, onCompare, onDelete }: StudyRowProps) {
  const name = nameText(study.patientName);
  const person = personText(study);
  return (
    // The row is a larger target for the mouse; the keyboard has the button in it.
    <tr className="study" onClick={onOpen}>
      <td>
        <StudyThumbnail client={client} studyInstanceUid={study.studyInstanceUid} />
      </td>
      <td>
        <div className="study-cell">
          <button
            type="button"
            className="study-open ellipsis"
            title={name}
            onClick={(event) => {
              event.stopPropagation();
              onOpen();
            }}
          >
            {name}
          </button>
          <span className="muted small ellipsis" title={study.patientId}>
            {[study.patientId, person].filter((part) => part !== "").join(" · ")}
          </span>
        </div>
      </td>
      <td>
        <div className="study-cell">
          <span className="ellipsis" title={study.studyDescription}>
            {study.phantom && <span className="tag tag-warning study-phantom">Phantom</span>}
            {conflicts > 0 && (
              <button
                type="button"
                className="tag tag-warning conflict-mark"
                title="More than one file came for an image. Compare them"
                onClick={(event) => {
                  event.stopPropagation();
                  onCompare();
                }}
              >
                {countText(conflicts, "conflict", "conflicts")}
              </button>
            )}
            {study.studyDescription || <span className="muted">No description</span>}
          </span>
          {study.accessionNumber && <span className="muted small ellipsis">{study.accessionNumber}</span>}
        </div>
      </td>
      <td className="number">
        <div className="study-cell">
          <span>{dateText(study.studyDate)}</span>
          <span className="muted small">{timeText(study.studyTime)}</span>
        </div>
      </td>
      <td>{study.modalities.join(", ")}</td>
      <td className="number studies-count">
        <div className="study-cell">
          <span>{study.instanceCount}</span>
          <span className="muted small">{countText(study.seriesCount, "series", "series")}</span>
        </div>
      </td>
      <td>
        <IconButton
          icon="trash"
          label={`Delete the study of ${name}`}
          edge="end"
          onClick={(event) => {
            event.stopPropagation();
            onDelete();
          }}
        />
      </td>
    </tr>
  );
}
