import { type RefObject, useEffect, useRef, useState } from "react";
import type { Client } from "../../core/client.ts";
import type { SeriesUid } from "../../core/study.ts";

export type Thumbnail =
  | { readonly status: "waiting" }
  | { readonly status: "ready"; readonly url: string }
  /** Not every series is a picture, and not every picture decodes. */
  | { readonly status: "none" };

/** The picture of a series, read when its element first comes into view. */
export function useThumbnail(
  client: Client,
  findSeries: (signal: AbortSignal) => Promise<SeriesUid | null>,
): readonly [RefObject<HTMLDivElement | null>, Thumbnail] {
  const element = useRef<HTMLDivElement | null>(null);
  const [thumbnail, setThumbnail] = useState<Thumbnail>({ status: "waiting" });

  useEffect(() => {
    const controller = new AbortController();
    let url: string | null = null;
    async function load() {
      try {
        const seriesInstanceUid = await findSeries(controller.signal);
        if (!seriesInstanceUid) throw new Error("no picture");
        const octets = await client.bytes("series.thumbnail", { seriesInstanceUid }, controller.signal);
        if (controller.signal.aborted) return;
        url = URL.createObjectURL(new Blob([octets as Uint8Array<ArrayBuffer>], { type: "image/png" }));
        setThumbnail({ status: "ready", url });
      } catch {
        if (!controller.signal.aborted) setThumbnail({ status: "none" });
      }
    }
    const observer = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        observer.disconnect();
        void load();
      },
      { rootMargin: "200px" },
    );
    if (element.current) observer.observe(element.current);
    return () => {
      observer.disconnect();
      controller.abort();
      if (url) URL.revokeObjectURL(url);
    };
  }, [client, findSeries]);

  return [element, thumbnail];
}
