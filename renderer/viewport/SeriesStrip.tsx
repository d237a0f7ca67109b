import { useCallback } from "react";
import type { Client } from "../../core/client.ts";
import type { Series } from "../../core/study.ts";
import { useThumbnail } from "../studies/use-thumbnail.ts";
import { Icon } from "../ui/Icon.tsx";
import { framesOfSeries } from "./series-frames.ts";

interface SeriesStripProps {
  readonly client: Client;
  readonly seriesOfStudy: readonly Series[];
  readonly shown: Series | null;
  readonly onOpen: (series: Series) => void;
}

export function SeriesStrip({ client, seriesOfStudy, shown, onOpen }: SeriesStripProps) {
  return (
    <nav className="strip" aria-label="Series">
      {seriesOfStudy.map((series) => (
        <SeriesTile
          key={series.seriesInstanceUid}
          client={client}
          series={series}
          shown={series.seriesInstanceUid === shown?.seriesInstanceUid}
          onOpen={() => onOpen(series)}
        />
      ))}
    </nav>
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
