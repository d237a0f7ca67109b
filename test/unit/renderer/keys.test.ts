import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { edgeLetters } from "../../../core/orientation.ts";
import type { Turn } from "../../../core/view.ts";
import { createFrameStore } from "../../../renderer/viewport/frame-store.ts";
import {
  flippedSideways,
  flippedUpsideDown,
  handleViewerKey,
  turned,
} from "../../../renderer/viewport/keys.ts";
import { cameraScale } from "../../../renderer/viewport/geometry.ts";
import { keyboardShortcuts, mouseShortcuts } from "../../../renderer/viewport/shortcuts.ts";
import { cineRate } from "../../../renderer/viewport/technique.ts";
import { createViewportStore } from "../../../renderer/viewport/viewport-store.ts";
import { grey, seriesOf, slowFrames, study } from "./frames.ts";

const axial = {
  orientation: [1, 0, 0, 0, 1, 0] as const,
  position: [0, 0, 0] as const,
  patientOrientation: null,
};
const turns: Turn[] = [false, true].flatMap((flip) =>
  ([0, 90, 180, 270] as const).map((rotate) => ({ flip, rotate })),
);

async function opened() {
  const source = slowFrames(() => grey({ rows: 100, columns: 50, values: new Int16Array(5000) }));
  const store = createViewportStore(createFrameStore(source.client));
  store.openStudy(study, [seriesOf("2.1", [1, 1, 1])]);
  store.setStage({ width: 400, height: 400 });
  for (const number of [1, 2, 3]) await source.release(`2.1.${number}#1`);
  const press = (key: string) =>
    handleViewerKey({ key, ctrlKey: false, altKey: false, metaKey: false, target: null } as never, store);
  return { store, press };
}

describe("flips and turns", () => {
  test.each(turns)("a flip mirrors what is on the screen, however it was turned: %o", (turn) => {
    const before = edgeLetters(axial, turn);
    expect(edgeLetters(axial, flippedSideways(turn))).toEqual({
      ...before,
      left: before.right,
      right: before.left,
    });
    expect(edgeLetters(axial, flippedUpsideDown(turn))).toEqual({
      ...before,
      top: before.bottom,
      bottom: before.top,
    });
  });

  test.each(turns)("a turn to the right brings the left edge to the top: %o", (turn) => {
    expect(edgeLetters(axial, turned(turn)).top).toBe(edgeLetters(axial, turn).left);
  });
});

describe("keys of the viewer", () => {
  test("1:1 puts one image pixel on one px, and F fits again without losing the turn", async () => {
    const { store, press } = await opened();
    press("t");
    press("o");
    const { stage, camera } = store.getState();
    const image = { columns: 50, rows: 100, aspect: 1 };
    expect(cameraScale(stage, image, camera)).toBeCloseTo(1);
    press("f");
    expect(store.getState().camera).toEqual({ zoom: 1, center: null, turn: { flip: false, rotate: 90 } });
  });

  test("Space plays the stack, and a step by hand stops it", async () => {
    const { store, press } = await opened();
    press(" ");
    expect(store.getState().playing).toBe(true);
    press("ArrowDown");
    expect(store.getState().playing).toBe(false);
  });

  test("Delete removes the marked region first, then the last length of this image alone", async () => {
    const { store, press } = await opened();
    const { image } = store.getState();
    if (image.status !== "ready") throw new Error("No image.");
    const ends = { from: { x: 0, y: 0 }, to: { x: 9, y: 9 } };
    const elsewhere = { ref: { ...image.ref, frame: 2 }, ...ends };
    store.setMeasurements([{ ref: image.ref, ...ends }, elsewhere]);
    store.setRegions([{ x: 1, y: 1, width: 5, height: 5 }]);
    press("Delete");
    expect(store.getState().regions).toEqual([]);
    expect(store.getState().measurements).toHaveLength(2);
    press("Delete");
    expect(store.getState().measurements).toEqual([elsewhere]);
    press("Delete");
    expect(store.getState().measurements).toEqual([elsewhere]);
  });

  test("every single key of the help sheet does something", async () => {
    const { press } = await opened();
    const keys = keyboardShortcuts.map(({ keys: text }) => text).filter((text) => /^[A-Z]$/.test(text));
    expect(keys.length).toBeGreaterThan(10);
    // A leads to the question field, which belongs to the screen around the viewport.
    for (const key of keys.filter((letter) => letter !== "A"))
      expect([key, press(key.toLowerCase())]).toEqual([key, true]);
  });
});

test("the user guide has the table of the help sheet", () => {
  const guide = readFileSync(new URL("../../../docs/user-guide.md", import.meta.url), "utf8");
  for (const { keys, action } of [...keyboardShortcuts, ...mouseShortcuts]) {
    expect(guide.replace(/ +/g, " ")).toContain(`| ${keys} | ${action} |`);
  }
});

test("the rate of a cine comes from the header", () => {
  const element = (keyword: string, value: string) => ({ tag: "", keyword, vr: "IS", value, depth: 0 });
  expect(cineRate([element("FrameTime", "40")])).toBe(25);
  expect(cineRate([element("CineRate", "12"), element("FrameTime", "40")])).toBe(12);
  expect(cineRate([element("CineRate", "")])).toBeNull();
});
