import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, test } from "vitest";
import type { SentenceState } from "../../../core/evidence.ts";
import type { Sentence } from "../../../core/question.ts";
import type { InstanceUid, SeriesUid, StudyUid } from "../../../core/study.ts";
import type { View } from "../../../core/view.ts";
import { overlayOfSentence } from "../../../renderer/ask/grounding-overlay.ts";
import { EvidenceLayer } from "../../../renderer/viewport/EvidenceLayer.tsx";
import { labelPlace } from "../../../renderer/viewport/evidence-label.ts";
import { createFrameStore } from "../../../renderer/viewport/frame-store.ts";
import { createViewportStore } from "../../../renderer/viewport/viewport-store.ts";
import { grey, seriesOf, slowFrames, study } from "./frames.ts";

const view: View = {
  source: { study: "1.1" as StudyUid, series: "2.1" as SeriesUid, instance: "2.1.1" as InstanceUid },
  frame: 1,
  voi: null,
  invert: false,
  crop: null,
  turn: { flip: false, rotate: 0 },
  regions: [],
};

/** With a map and a region in every state: whatever the record holds, the state decides what is drawn. */
function sentenceIn(state: SentenceState, part: Partial<Sentence> = {}): Sentence {
  return {
    text: "There is a mark.",
    start: 0,
    end: 16,
    probability: null,
    reliance: null,
    state,
    regions: [{ view: 0, x: 2, y: 1, width: 3, height: 2 }],
    views_effect: [],
    maps: [{ view: 0, x: 0, y: 0, width: 6, height: 4, rows: 1, columns: 2, values: [0, 2] }],
    ...part,
  };
}

/** What the stage holds for a sentence: its boxes and its words. */
async function drawn(sentence: Sentence, testing = false) {
  const source = slowFrames(() => grey());
  const store = createViewportStore(createFrameStore(source.client));
  store.openStudy(study, [seriesOf("2.1", [1])]);
  await source.release("2.1.1#1");
  store.setStage({ width: 600, height: 400 });
  store.setOverlay(overlayOfSentence(sentence, [view], testing));
  const markup = renderToStaticMarkup(createElement(EvidenceLayer, { state: store.getState() }));
  return {
    solid: markup.split('data-testid="evidence-region"').length - 1,
    dashed: markup.split('data-testid="candidate-region"').length - 1,
    words: /evidence-words">([^<]*)</.exec(markup)?.[1] ?? null,
  };
}

describe("what is drawn for a sentence", () => {
  test("[GRD-16] a tested region has a solid box and says so", async () => {
    expect(await drawn(sentenceIn("supported"))).toEqual({
      solid: 1,
      dashed: 0,
      words: "Rests on this region (tested)",
    });
  });

  test("[GRD-17] an image as a whole has no box, although a region was tried", async () => {
    expect(await drawn(sentenceIn("diffuse"))).toEqual({
      solid: 0,
      dashed: 0,
      words: "Rests on the image as a whole",
    });
  });

  test("[GRD-19] the candidate of an uncalibrated pack is dashed and not tested", async () => {
    expect(await drawn(sentenceIn("uncalibrated"))).toEqual({ solid: 0, dashed: 1, words: "Not tested" });
  });

  test("[GRD-19] an uncalibrated sentence without a region has nothing on the image", async () => {
    const nothing = { solid: 0, dashed: 0, words: null };
    expect(await drawn(sentenceIn("uncalibrated", { regions: [] }))).toEqual(nothing);
  });

  test.each(["unsupported", "absent", "untested"] as const)("%s has nothing on the image", async (state) => {
    expect(await drawn(sentenceIn(state))).toEqual({ solid: 0, dashed: 0, words: null });
  });

  test("what is still being tested is dashed and says so", async () => {
    expect(await drawn(sentenceIn("untested"), true)).toEqual({
      solid: 0,
      dashed: 1,
      words: "Being tested",
    });
  });

  test("another slice than the one it was tested on has nothing", async () => {
    const source = slowFrames(() => grey());
    const store = createViewportStore(createFrameStore(source.client));
    store.openStudy(study, [seriesOf("2.1", [1, 1])]);
    store.showIndex(1);
    await source.release("2.1.2#1");
    store.setOverlay(overlayOfSentence(sentenceIn("supported"), [view], false));
    const markup = renderToStaticMarkup(createElement(EvidenceLayer, { state: store.getState() }));
    expect(markup).not.toContain("<rect");
    expect(markup).not.toContain("Rests on");
  });
});

test("an empty map is not drawn at full strength for its noise [GRD-11]", () => {
  const maps = [{ view: 0, x: 0, y: 0, width: 6, height: 4, rows: 1, columns: 2, values: [0.001, 0.002] }];
  expect(overlayOfSentence(sentenceIn("diffuse", { maps }), [view], false)?.fullStrengthNats).toBe(0.05);
});

describe("the words of a drawing", () => {
  const stage = { width: 600, height: 400 };
  const double = [2, 0, 0, 2, 0, 0] as const;

  test("stand above the box, in its middle", () => {
    expect(labelPlace([{ x: 50, y: 100, width: 40, height: 20 }], double, stage)).toEqual({
      x: 140,
      y: 196,
      below: false,
    });
  });

  test("stand below a box that has no room above", () => {
    expect(labelPlace([{ x: 50, y: 2, width: 40, height: 20 }], double, stage)).toEqual({
      x: 140,
      y: 48,
      below: true,
    });
  });

  test("stay on the stage when the box is zoomed past it", () => {
    const place = labelPlace([{ x: -500, y: 190, width: 40, height: 90 }], double, stage);
    expect(place).toEqual({ x: 100, y: 376, below: false });
    const filling = labelPlace([{ x: -10, y: -10, width: 900, height: 900 }], double, stage);
    expect(filling.y).toBeLessThanOrEqual(stage.height - 24);
  });
});
