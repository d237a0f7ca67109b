import { useCallback } from "react";
import type { Client } from "../../core/client.ts";
import type { StudyUid } from "../../core/study.ts";
import { Icon } from "../ui/Icon.tsx";
import { useThumbnail } from "./use-thumbnail.ts";

interface StudyThumbnailProps {
  readonly client: Client;
  readonly studyInstanceUid: StudyUid;
}

export function StudyThumbnail({ client, studyInstanceUid }: StudyThumbnailProps) {
  const findSeries = useCallback(
    async (signal: AbortSignal) => {
      const series = await client.call("studies.series", { studyInstanceUid }, signal);
      const first = series.find(({ instances }) => instances.some(({ hasPixels }) => hasPixels));
      return first?.seriesInstanceUid ?? null;
    },
    [client, studyInstanceUid],
  );
  const [element, thumbnail] = useThumbnail(client, findSeries);
  return (
    <div className="study-thumbnail" ref={element}>
      {thumbnail.status === "ready" && <img src={thumbnail.url} alt="" />}
      {thumbnail.status === "none" && <Icon name="image" />}
    </div>
  );
}
