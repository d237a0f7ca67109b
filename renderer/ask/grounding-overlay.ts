import type { EvidenceMap, Region } from "../../core/evidence.ts";
import type { Sentence } from "../../core/question.ts";
import type { InstanceUid, SeriesUid } from "../../core/study.ts";
import type { View } from "../../core/view.ts";
import { grounds, pendingGround } from "./words.ts";

/** What the viewport draws over one frame for one sentence; all geometry in pixels of the stored frame. */
export interface GroundingOverlay {
  readonly seriesInstanceUid: SeriesUid;
  readonly sopInstanceUid: InstanceUid;
  readonly frame: number;
  /** Only `tested` looks like evidence. `whole` has no box; `not-tested` is a candidate, drawn dashed and dim. */
  readonly kind: "tested" | "whole" | "not-tested";
  /** Stands at the box; one of the phrases of docs/grounding.md, GRD-1. */
  readonly words: string;
  readonly regions: readonly Region[];
  readonly map: EvidenceMap | null;
  /** The map's value that is drawn at full strength, nats: the largest over all views of the sentence. */
  readonly fullStrengthNats: number;
}

/** Below this nothing counts (GRD-11): without a floor the noise of an empty map would be drawn at full strength. */
const leastStrengthNats = 0.05;

/**
 * The overlay of a sentence, on the view that matters most for it: the view of its first region, else the one with
 * the strongest map. Null where nothing may be drawn: absence, no reliance, a candidate without a region, or a file
 * that is not in the archive. `testing`: its evidence may still change.
 */
export function overlayOfSentence(
  sentence: Sentence,
  views: readonly View[],
  testing: boolean,
): GroundingOverlay | null {
  const kind = drawingOf(sentence, testing);
  if (kind === null) return null;
  const index = sentence.regions[0]?.view ?? strongestMap(sentence.maps)?.view;
  if (index === undefined) return null;
  const view = views[index];
  if (!view || !("instance" in view.source)) return null;
  return {
    seriesInstanceUid: view.source.series,
    sopInstanceUid: view.source.instance,
    frame: view.frame,
    kind,
    words: testing && sentence.state === "untested" ? pendingGround : grounds[sentence.state],
    // A region that did not pass its test is not drawn: the box would look like the one that did.
    regions: kind === "whole" ? [] : sentence.regions.filter((region) => region.view === index),
    map: sentence.maps.find((map) => map.view === index) ?? null,
    fullStrengthNats: Math.max(leastStrengthNats, ...sentence.maps.flatMap((map) => map.values)),
  };
}

function drawingOf({ state, regions }: Sentence, testing: boolean): GroundingOverlay["kind"] | null {
  switch (state) {
    case "supported":
      return "tested";
    case "diffuse":
      return "whole";
    case "uncalibrated":
      return testing || regions.length > 0 ? "not-tested" : null;
    case "untested":
      return testing ? "not-tested" : null;
    case "absent":
    case "unsupported":
      return null;
  }
}

function strongestMap(maps: readonly EvidenceMap[]): EvidenceMap | undefined {
  return maps
    .filter((map) => map.values.some((nats) => nats > 0))
    .toSorted((a, b) => Math.max(...b.values) - Math.max(...a.values))[0];
}
