import { describe, expect, test } from "vitest";
import type { PixelFrame } from "../../../core/frame.ts";
import { renderFrame } from "../../../core/render-frame.ts";
import type { ViewVoi } from "../../../core/view.ts";
import { pixelAspect, planSurface } from "../../../renderer/viewport/presentation.ts";
import { draggedWindow, windowText } from "../../../renderer/viewport/window-drag.ts";
import { windowPresets } from "../../../renderer/viewport/window-presets.ts";
import { grey } from "./frames.ts";

const values = Int16Array.from({ length: 24 }, (_, index) => -1200 + index * 110);
const plain = { voi: null, invert: false };
const rescale = (slope: number, intercept: number) =>
  ({ modalityTransform: { type: "rescale", slope, intercept, unit: "HU" } }) as const;

/** What the graphics card makes of the plan: a straight line between two stored values. */
function drawn(frame: PixelFrame, presentation: { voi: ViewVoi | null; invert: boolean }): number[] {
  const plan = planSurface(frame, presentation);
  if (plan.kind !== "window") throw new Error("not drawn by the card");
  const { lower, upper, invert } = plan;
  return [...frame.values].map((value) => {
    const level = Math.min(1, Math.max(0, (value - lower) / (upper - lower))) * 255;
    return invert ? 255 - level : level;
  });
}

describe("the window that Cornerstone is given, in stored values", () => {
  const window = (shape: "LINEAR" | "LINEAR_EXACT") =>
    ({ kind: "window", center: 60, width: 333, function: shape }) as const;
  test.each([
    ["plain", grey({ values }), plain],
    ["rescaled", grey({ values, ...rescale(1, -1024) }), plain],
    ["rescaled by a fraction", grey({ values, ...rescale(0.31, 12.5) }), plain],
    ["falling", grey({ values, ...rescale(-2, 100) }), plain],
    ["MONOCHROME1", grey({ values, photometric: "MONOCHROME1" }), plain],
    ["inverted", grey({ values }), { voi: null, invert: true }],
    ["MONOCHROME1 inverted", grey({ values, photometric: "MONOCHROME1" }), { voi: null, invert: true }],
    ["presentation inverse", grey({ values, presentationInverse: true }), plain],
    ["LINEAR", grey({ values }), { voi: window("LINEAR"), invert: false }],
    ["LINEAR_EXACT", grey({ values, ...rescale(3, -5) }), { voi: window("LINEAR_EXACT"), invert: false }],
  ])("agrees with render-frame within a level: %s", (_name, frame, presentation) => {
    const wanted = renderFrame(frame, presentation).pixels;
    drawn(frame, presentation).forEach((level, index) => {
      expect(Math.abs(level - wanted[index]!)).toBeLessThanOrEqual(1);
    });
  });

  test.each([
    ["colour", grey({ samplesPerPixel: 3, photometric: "RGB", values: new Uint8Array(72) }), plain],
    ["palette", grey({ photometric: "PALETTE COLOR" }), plain],
    ["padding", grey({ padding: { low: -2000, high: -2000 } }), plain],
    ["float", grey({ values: new Float32Array(24) }), plain],
    ["32 bit", grey({ values: new Int32Array(24) }), plain],
    ["sigmoid", grey(), { voi: { kind: "window", center: 1, width: 9, function: "SIGMOID" }, invert: false }],
    [
      "a window of width 1",
      grey(),
      { voi: { kind: "window", center: 1, width: 1, function: "LINEAR" }, invert: false },
    ],
    ["full range", grey(), { voi: { kind: "none" }, invert: false }],
    ["a slope of 0", grey(rescale(0, 7)), plain],
  ] as const)("what is no straight line is left to render-frame: %s", (_name, frame, presentation) => {
    expect(planSurface(frame as PixelFrame, presentation).kind).toBe("rendered");
  });
});

test("the pixel spacing decides the aspect before Pixel Aspect Ratio", () => {
  expect(pixelAspect(grey({ aspect: 1, spacing: { row: 3, column: 1.5, source: "pixel" } }))).toBe(2);
  expect(pixelAspect(grey({ aspect: 1.2 }))).toBe(1.2);
});

describe("dragging the window", () => {
  const frame = grey();

  test("to the right widens, downwards raises the centre", () => {
    const dragged = draggedWindow(frame, null, { x: 50, y: 20 });
    expect(dragged).toMatchObject({ kind: "window", function: "LINEAR" });
    if (dragged.kind !== "window") throw new Error();
    expect(dragged.width).toBeGreaterThan(400);
    expect(dragged.center).toBeGreaterThan(40);
  });

  test("never reaches a width below 1 on whole numbers", () => {
    expect(draggedWindow(frame, null, { x: -9000, y: 0 })).toMatchObject({ width: 1 });
  });

  test("keeps a sigmoid a sigmoid", () => {
    const voi = { kind: "window", center: 0, width: 10, function: "SIGMOID" } as const;
    expect(draggedWindow(frame, voi, { x: 5, y: 5 })).toMatchObject({ function: "SIGMOID" });
  });

  test("starts from the table's range where the file has a table", () => {
    const table = { table: { firstMapped: 100, bits: 8, values: [0, 50, 100, 150] }, explanation: "Skin" };
    const file = grey({ voiWindows: [], voiTables: [table] });
    expect(windowText(file, null)).toBe("Table Skin");
    expect(draggedWindow(file, null, { x: 0, y: 0 })).toMatchObject({ center: 102, width: 4 });
  });
});

test("CT presets need Hounsfield units", () => {
  const labels = (frame: PixelFrame, modality: string) =>
    windowPresets(frame, modality).map(({ label }) => label);
  expect(labels(grey(rescale(1, -1024)), "CT")).toContain("Lung");
  expect(labels(grey(), "CT")).not.toContain("Lung");
  expect(labels(grey(rescale(1, 0)), "MR")).not.toContain("Lung");
});

test("a window that the file names itself is not offered twice, and headers do not shout", () => {
  const file = grey({
    ...rescale(1, -1024),
    voiWindows: [
      { center: -550, width: 1500, function: "LINEAR", explanation: "LUNG" },
      { center: 40, width: 400, function: "LINEAR", explanation: "SOFT TISSUE" },
    ],
  });
  const labels = windowPresets(file, "CT").map(({ label }) => label);
  expect(labels.slice(0, 3)).toEqual(["Default", "Soft tissue (file)", "Lung"]);
  expect(labels).not.toContain("Soft tissue");
});
