import { describe, expect, test } from "vitest";
import type { PixelFrame } from "../../../../core/frame.ts";
import type { Rectangle, Turn, View } from "../../../../core/view.ts";
import { frameToInput, inputToFrame, wholePixelCrop } from "../../../../models/image/mapping.ts";
import { normalisePixels, prepareView } from "../../../../models/image/prepare-view.ts";
import { frameOf } from "../../../fixtures/sample-frame.ts";

const spec = {
  width: 128,
  height: 128,
  pad_value: 0,
  mean: [0.5, 0.5, 0.5],
  std: [0.25, 0.25, 0.25],
  channels: "gray-replicated",
} as const;

/** A black frame with one white mark. */
function markedFrame(columns: number, rows: number, mark: Rectangle): PixelFrame {
  const values = new Uint8Array(rows * columns);
  for (let y = mark.y; y < mark.y + mark.height; y += 1) {
    values.fill(255, y * columns + mark.x, y * columns + mark.x + mark.width);
  }
  const voiWindows = [{ center: 128, width: 256, function: "LINEAR" as const, explanation: "" }];
  return frameOf(values, { rows, columns, voiWindows });
}

function viewOf(crop: Rectangle | null, turn: Turn): View {
  return { source: { file: "x", sha256: "0" }, frame: 1, voi: null, invert: false, crop, turn, regions: [] };
}

/** The bounds of what is brighter than half in the model input. */
function bright(pixels: Uint8Array, width: number): Rectangle {
  const at = [...pixels.keys()].filter((i) => pixels[i]! > 127);
  const xs = at.map((i) => i % width);
  const ys = at.map((i) => Math.floor(i / width));
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { x, y, width: Math.max(...xs) - x + 1, height: Math.max(...ys) - y + 1 };
}

const shapes: [name: string, columns: number, rows: number][] = [
  ["square", 256, 256],
  ["wide", 400, 130],
  ["tall", 90, 300],
  ["smaller than the input", 64, 48],
  ["very wide", 600, 40],
];
const turns: Turn[] = ([0, 90, 180, 270] as const).flatMap((rotate) => [
  { flip: false, rotate },
  { flip: true, rotate },
]);

describe("a mark that the model saw is found again in the stored frame", () => {
  for (const [name, columns, rows] of shapes) {
    for (const cropped of [false, true]) {
      for (const turn of turns) {
        test(`${name}, ${cropped ? "cropped" : "whole"}, ${turn.flip ? "flipped" : "not flipped"}, turned by ${turn.rotate}`, () => {
          const mark = {
            x: Math.round(columns * 0.55),
            y: Math.round(rows * 0.3),
            width: Math.round(columns * 0.2),
            height: Math.round(rows * 0.25),
          };
          const crop = cropped
            ? { x: columns * 0.33, y: rows * 0.21, width: columns * 0.5, height: rows * 0.6 }
            : null;
          const { input, geometry } = prepareView(viewOf(crop, turn), markedFrame(columns, rows, mark), spec);
          const found = inputToFrame(geometry, bright(input.pixels, input.width));
          // Half a model pixel at each edge, in pixels of the frame.
          const step = Math.max(columns, rows) / 128 + 1;
          expect(Math.abs(found.x - mark.x)).toBeLessThanOrEqual(step);
          expect(Math.abs(found.y - mark.y)).toBeLessThanOrEqual(step);
          expect(Math.abs(found.x + found.width - mark.x - mark.width)).toBeLessThanOrEqual(step);
          expect(Math.abs(found.y + found.height - mark.y - mark.height)).toBeLessThanOrEqual(step);
        });
      }
    }
  }

  test("there and back is the same rectangle", () => {
    for (const turn of turns) {
      const { geometry } = prepareView(
        viewOf({ x: 10, y: 20, width: 200, height: 77 }, turn),
        markedFrame(300, 140, { x: 0, y: 0, width: 1, height: 1 }),
        spec,
      );
      const region = { x: 31, y: 43, width: 52, height: 11 };
      const back = inputToFrame(geometry, frameToInput(geometry, region));
      expect(back.x).toBeCloseTo(31, 6);
      expect(back.y).toBeCloseTo(43, 6);
      expect(back.width).toBeCloseTo(52, 6);
      expect(back.height).toBeCloseTo(11, 6);
    }
  });

  test("what reaches into the padding is clipped to what was seen of the frame", () => {
    const { geometry } = prepareView(
      viewOf(null, turns[0]!),
      markedFrame(400, 100, { x: 0, y: 0, width: 1, height: 1 }),
      spec,
    );
    expect(inputToFrame(geometry, { x: 0, y: 0, width: 128, height: 128 })).toEqual({
      x: 0,
      y: 0,
      width: 400,
      height: 100,
    });
  });

  test("pixels that are not square are shown in the shape of the body", () => {
    const frame = { ...markedFrame(100, 50, { x: 40, y: 20, width: 20, height: 10 }), aspect: 2 };
    const { input, geometry } = prepareView(viewOf(null, turns[0]!), frame, spec);
    expect(geometry.content).toEqual({ x: 0, y: 0, width: 128, height: 128 });
    const seen = bright(input.pixels, 128);
    expect(Math.abs(seen.width - seen.height)).toBeLessThanOrEqual(1);
    const sideways = prepareView(viewOf(null, { flip: false, rotate: 90 }), { ...frame, aspect: 0.5 }, spec);
    expect(sideways.geometry.content.width / sideways.geometry.content.height).toBeCloseTo(0.25, 1);
  });
});

describe("the model input", () => {
  test("is padded with the pack's grey, on both sides alike", () => {
    const frame = markedFrame(64, 32, { x: 0, y: 0, width: 64, height: 32 });
    const { input, geometry } = prepareView(viewOf(null, turns[0]!), frame, { ...spec, pad_value: 9 });
    expect(geometry.content).toEqual({ x: 0, y: 32, width: 128, height: 64 });
    expect(input.pixels[0]).toBe(9);
    expect(input.pixels[31 * 128]).toBe(9);
    expect(input.pixels[32 * 128]).toBe(255);
    expect(input.pixels[95 * 128 + 127]).toBe(255);
    expect(input.pixels[96 * 128]).toBe(9);
  });

  test("a crop is widened to whole pixels and kept inside the frame", () => {
    const size = { width: 100, height: 80 };
    expect(wholePixelCrop({ x: 10.4, y: -3, width: 5.2, height: 4 }, size)).toEqual({
      x: 10,
      y: 0,
      width: 6,
      height: 1,
    });
    expect(wholePixelCrop({ x: 95, y: 70, width: 50, height: 50 }, size)).toEqual({
      x: 95,
      y: 70,
      width: 5,
      height: 10,
    });
  });

  test("a crop outside of the image is refused", () => {
    const frame = markedFrame(64, 32, { x: 0, y: 0, width: 1, height: 1 });
    const outside = viewOf({ x: 70, y: 0, width: 5, height: 5 }, turns[0]!);
    expect(() => prepareView(outside, frame, spec)).toThrow(expect.objectContaining({ code: "bad-input" }));
  });

  test("normalised values stand in planes, grey three times", () => {
    const small = { ...spec, width: 2, height: 1, mean: [0, 0.5, 1], std: [1, 0.5, 2] };
    const input = { width: 2, height: 1, channels: 1, pixels: new Uint8Array([0, 255]) } as const;
    expect([...normalisePixels([input], small)]).toEqual([0, 1, -1, 1, -0.5, 0]);
  });
});
