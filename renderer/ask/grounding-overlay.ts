import type { EvidenceMap, Region } from "../../core/evidence.ts";
import type { Sentence } from "../../core/question.ts";
import type { InstanceUid, SeriesUid } from "../../core/study.ts";
import type { View } from "../../core/view.ts";

/** What the viewport draws over one frame for one sentence; all geometry in pixels of the stored frame. */
export interface GroundingOverlay {
  readonly seriesInstanceUid: SeriesUid;
  readonly sopInstanceUid: InstanceUid;
  readonly frame: number;
  readonly regions: readonly Region[];
  readonly map: EvidenceMap | null;
  /** The map's value that is drawn at full strength, nats: the largest over all views of the sentence. */
  readonly fullStrengthNats: number;
}

/**
 * The overlay of a sentence, on the view that matters most for it: the view of its first region, else the one with
 * the strongest map. Null where nothing can be drawn (absence, not tested, or a file that is not in the archive).
 */
export function overlayOfSentence(sentence: Sentence, views: readonly View[]): GroundingOverlay | null {
  const index = sentence.regions[0]?.view ?? strongestMap(sentence.maps)?.view;
  if (index === undefined) return null;
  const view = views[index];
  if (!view || !("instance" in view.source)) return null;
  return {
    seriesInstanceUid: view.source.series,
    sopInstanceUid: view.source.instance,
    frame: view.frame,
    regions: sentence.regions.filter((region) => region.view === index),
    map: sentence.maps.find((map) => map.view === index) ?? null,
    fullStrengthNats: Math.max(0, ...sentence.maps.flatMap((map) => map.values)),
  };
}

function strongestMap(maps: readonly EvidenceMap[]): EvidenceMap | undefined {
  return maps
    .filter((map) => map.values.some((nats) => nats > 0))
    .toSorted((a, b) => Math.max(...b.values) - Math.max(...a.values))[0];
}
