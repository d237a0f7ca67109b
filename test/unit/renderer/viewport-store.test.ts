import { describe, expect, test } from "vitest";
import type { FrameRef, PixelFrame } from "../../../core/frame.ts";
import type { InstanceUid, SeriesUid } from "../../../core/study.ts";
import { captureView, seenPart } from "../../../renderer/viewport/capture-view.ts";
import { createFrameStore } from "../../../renderer/viewport/frame-store.ts";
import { createViewportStore } from "../../../renderer/viewport/viewport-store.ts";
import { broken, grey, seriesOf, slowFrames, study } from "./frames.ts";

function open(frameOf: (ref: FrameRef) => PixelFrame | Error, counts: readonly number[] = [1, 1, 1, 1, 1]) {
  const source = slowFrames(frameOf);
  const store = createViewportStore(createFrameStore(source.client));
  const all = [seriesOf("2.1", counts), seriesOf("2.2", [3])];
  store.openStudy(study, all);
  return { source, store, all };
}

const shownIndex = (store: ReturnType<typeof createViewportStore>) => {
  const { image } = store.getState();
  return image.status === "ready" ? image.index : image.status;
};

describe("the viewport", () => {
  test("opens a stack in its middle and a pair at its first image", async () => {
    const stack = open(() => grey());
    expect(stack.store.getState().index).toBe(2);
    const pair = open(() => grey(), [1, 1]);
    expect(pair.store.getState().index).toBe(0);
  });

  test("a slice that arrives late does not replace the one asked for since", async () => {
    const { source, store } = open(() => grey());
    store.showIndex(3);
    store.showIndex(4);
    await source.release("2.1.5#1");
    expect(shownIndex(store)).toBe(4);
    await source.release("2.1.4#1");
    expect(shownIndex(store)).toBe(4);
  });

  test("the last image stays, with its own number, until the next one is there", async () => {
    const { source, store } = open(() => grey());
    await source.release("2.1.3#1");
    store.showIndex(3);
    expect(store.getState().index).toBe(3);
    expect(shownIndex(store)).toBe(2);
    await source.release("2.1.4#1");
    expect(shownIndex(store)).toBe(3);
  });

  test("a slice that cannot be decoded shows its reason and no image", async () => {
    const { source, store } = open((ref) => (ref.sopInstanceUid === "2.1.3" ? broken : grey()));
    await source.release("2.1.3#1");
    expect(store.getState().image).toMatchObject({
      status: "failed",
      index: 2,
      code: "pixel-data-damaged",
      message: "The JPEG stream ends early.",
    });
    expect(captureView(store.getState())).toBeNull();
  });

  test("opens the slice of an answer, in another series too", async () => {
    const { source, store } = open(() => grey());
    const address = { series: "2.2" as SeriesUid, instance: "2.2.1" as InstanceUid, frame: 2 };
    expect(store.showFrame(address)).toBe(true);
    await source.release("2.2.1#2");
    expect(store.getState().series?.seriesInstanceUid).toBe("2.2");
    expect(shownIndex(store)).toBe(1);
    expect(store.showFrame({ ...address, instance: "9.9" as InstanceUid })).toBe(false);
  });

  test("a stack without windows takes one window for all its slices", async () => {
    const { source, store } = open((ref) => {
      const bright = ref.sopInstanceUid === "2.1.4" ? 1000 : 10;
      return grey({ voiWindows: [], values: Int16Array.from({ length: 24 }, (_, index) => index * bright) });
    });
    await source.release("2.1.3#1");
    const { voi } = store.getState();
    expect(voi).toMatchObject({ kind: "window" });
    store.showIndex(3);
    await source.release("2.1.4#1");
    expect(store.getState().voi).toEqual(voi);
  });

  test("regions drawn on one slice do not move to the next", async () => {
    const { source, store } = open(() => grey());
    await source.release("2.1.3#1");
    store.setRegions([{ x: 0, y: 0, width: 2, height: 2 }]);
    store.showIndex(3);
    await source.release("2.1.4#1");
    expect(store.getState().regions).toEqual([]);
  });

  test("another series starts with its own window, zoom and turn", async () => {
    const { source, store, all } = open(() => grey());
    await source.release("2.1.3#1");
    store.setVoi({ kind: "window", center: 1, width: 2, function: "LINEAR" });
    store.setInvert(true);
    store.setTurn({ flip: true, rotate: 90 });
    store.openSeries(all[1]!);
    const { voi, invert, camera } = store.getState();
    expect({ voi, invert, turn: camera.turn }).toEqual({
      voi: null,
      invert: false,
      turn: { flip: false, rotate: 0 },
    });
  });
});

describe("the captured view", () => {
  test("names the frame in view, its window written out, and the part in view", async () => {
    const { source, store } = open(() => grey({ rows: 100, columns: 100, values: new Int16Array(10_000) }));
    await source.release("2.1.3#1");
    store.setStage({ width: 400, height: 400 });
    expect(captureView(store.getState())).toEqual({
      source: { study: "1.1", series: "2.1", instance: "2.1.3" },
      frame: 1,
      voi: { kind: "window", center: 40, width: 400, function: "LINEAR" },
      invert: false,
      crop: null,
      turn: { flip: false, rotate: 0 },
      regions: [],
    });
    expect(seenPart(store.getState())).toBe("whole");
    store.setCamera({ zoom: 2, center: { x: 50, y: 50 }, turn: { flip: true, rotate: 0 } });
    expect(captureView(store.getState())).toMatchObject({
      crop: { x: 25, y: 25, width: 50, height: 50 },
      turn: { flip: true, rotate: 0 },
    });
    expect(seenPart(store.getState())).toBe("in-view");
    store.setRegions([{ x: 40, y: 40, width: 5, height: 6 }]);
    expect(captureView(store.getState())?.crop).toEqual({ x: 40, y: 40, width: 5, height: 6 });
    expect(seenPart(store.getState())).toBe("region");
    expect(captureView(store.getState(), "whole")?.crop).toBeNull();
  });

  test("is of the image in view, not of the slice still being read", async () => {
    const { source, store } = open(() => grey());
    await source.release("2.1.3#1");
    store.showIndex(4);
    expect(captureView(store.getState())?.source).toMatchObject({ instance: "2.1.3" });
  });

  test("colour has no window", async () => {
    const colour = grey({
      samplesPerPixel: 3,
      photometric: "RGB",
      values: new Uint8Array(72),
      voiWindows: [],
    });
    const { source, store } = open(() => colour, [1]);
    await source.release("2.1.1#1");
    expect(captureView(store.getState())?.voi).toBeNull();
  });
});
