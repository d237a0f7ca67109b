import { Fragment, useCallback } from "react";
import type { Client } from "../../core/client.ts";
import type { Series } from "../../core/study.ts";
import { countText } from "../studies/study-text.ts";
import { useThumbnail } from "../studies/use-thumbnail.ts";
import { Icon } from "../ui/Icon.tsx";
import { framesOfSeries } from "./series-frames.ts";

interface SeriesStripProps {
  readonly client: Client;
  readonly seriesOfStudy: readonly Series[];
  readonly shown: Series | null;
  /** Files that are kept beside others, by series. */
  readonly conflicts: ReadonlyMap<string, number>;
  readonly onOpen: (series: Series) => void;
  readonly onCompare: (series: Series) => void;
}

export function SeriesStrip(props: SeriesStripProps) {
  const { client, seriesOfStudy, shown, conflicts, onOpen, onCompare } = props;
  return (
    <nav className="strip" aria-label="Series">
      {seriesOfStudy.map((series) => (
        <Fragment key={series.seriesInstanceUid}>
          <SeriesTile
            client={client}
            series={series}
            shown={series.seriesInstanceUid === shown?.seriesInstanceUid}
            onOpen={() => onOpen(series)}
          />
          <ConflictMark
            count={conflicts.get(series.seriesInstanceUid) ?? 0}
            onCompare={() => onCompare(series)}
          />
        </Fragment>
      ))}
    </nav>
  );
}

/** Under its tile: a button cannot stand in another. */
function ConflictMark({ count, onCompare }: { readonly count: number; readonly onCompare: () => void }) {
  if (count === 0) return null;
  return (
    <button
      type="button"
      className="tag tag-warning conflict-mark tile-conflicts"
      title="More than one file came for an image of this series. Compare them"
      onClick={onCompare}
    >
      {countText(count, "conflict", "conflicts")}
    </button>
  );
}

interface SeriesTileProps {
  readonly client: Client;
  readonly series: Series;
  readonly shown: boolean;
  readonly onOpen: () => void;
}

function SeriesTile({ client, series, shown, onOpen }: SeriesTileProps) {
  const { seriesInstanceUid } = series;
  const find = useCallback(async () => seriesInstanceUid, [seriesInstanceUid]);
  const [element, thumbnail] = useThumbnail(client, find);
  const count = framesOfSeries(series).length;
  const numbered = series.seriesNumber === null ? "No description" : `Series ${series.seriesNumber}`;
  const title = series.seriesDescription || numbered;
  return (
    <button
      type="button"
      className="tile"
      aria-current={shown ? "true" : undefined}
      title={title}
      onClick={onOpen}
      data-testid="series"
    >
      <div className="tile-picture" ref={element}>
        {thumbnail.status === "ready" && <img src={thumbnail.url} alt="" />}
        {thumbnail.status === "none" && <Icon name="image" />}
        <span className="tile-count number">{count}</span>
      </div>
      <span className="tile-title ellipsis">{title}</span>
      <span className="muted small">
        {series.modality}
        {series.seriesNumber === null ? "" : ` ${series.seriesNumber}`}
      </span>
    </button>
  );
}
