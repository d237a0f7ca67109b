import { describe, expect, it } from "vitest";
import type { Rectangle } from "../../../../core/view.ts";
import {
  blurredFill,
  blurredReference,
  meanReference,
  replaceRegion,
  surroundFill,
} from "../../../../models/evidence/fills.ts";
import { findForeground } from "../../../../models/evidence/foreground.ts";
import { normalNoise, seededRandom } from "../../../../models/evidence/noise.ts";
import { gaussianBlur } from "../../../../models/evidence/plane.ts";
import { meanInside, paddedView } from "../../../fixtures/known-answer/function-model.ts";
import { markImage } from "../../../fixtures/known-answer/mark-image.ts";

const mark = { x: 100, y: 60, width: 40, height: 36 };
const image = markImage({ width: 224, height: 160, marks: [{ ...mark, y: mark.y - 32 }] }, seededRandom(2));
const view = paddedView(image, 224);

function outside(box: Rectangle, margin: number) {
  const pixels: number[] = [];
  for (let y = 0; y < 224; y++) {
    for (let x = 0; x < 224; x++) {
      const inBox =
        x >= box.x - margin &&
        x < box.x + box.width + margin &&
        y >= box.y - margin &&
        y < box.y + box.height + margin;
      if (!inBox) pixels.push(y * 224 + x);
    }
  }
  return pixels;
}

describe("[GRD-12] without a region", () => {
  it("changes the region and nothing else, least of all the padding", () => {
    for (const fill of [blurredFill(view, 40, 1), surroundFill(view, [mark], 1)]) {
      const without = replaceRegion(view, [mark], fill);
      expect(meanInside(without, mark)).toBeLessThan(meanInside(view.input, mark) - 0.05);
      for (const at of outside(mark, 4)) expect(without.pixels[at]).toBe(view.input.pixels[at]);
    }
  });

  it("the second fill keeps nothing of the inside", () => {
    const bright = { ...view.input, pixels: view.input.pixels.slice() };
    const dark = { ...view.input, pixels: view.input.pixels.slice() };
    for (let y = mark.y; y < mark.y + mark.height; y++) {
      bright.pixels.fill(250, y * 224 + mark.x, y * 224 + mark.x + mark.width);
      dark.pixels.fill(3, y * 224 + mark.x, y * 224 + mark.x + mark.width);
    }
    const filled = [bright, dark].map((input) => {
      const area = { ...view, input };
      return meanInside(replaceRegion(area, [mark], surroundFill(area, [mark], 1)), {
        x: mark.x + 4,
        y: mark.y + 4,
        width: mark.width - 8,
        height: mark.height - 8,
      });
    });
    expect(Math.abs(filled[0]! - filled[1]!)).toBeLessThan(0.01);
  });

  it("carries noise as strong as the image's own detail, so that smoothness is no sign", () => {
    const quiet = { x: 20, y: 100, width: 40, height: 40 };
    const roughness = (pixels: Uint8Array) => {
      let sum = 0;
      for (let y = quiet.y + 6; y < quiet.y + 34; y++) {
        for (let x = quiet.x + 6; x < quiet.x + 34; x++)
          sum += (pixels[y * 224 + x]! - pixels[y * 224 + x + 1]!) ** 2;
      }
      return Math.sqrt(sum / (28 * 28));
    };
    const before = roughness(view.input.pixels);
    for (const fill of [blurredFill(view, 40, 1), surroundFill(view, [quiet], 1)]) {
      const after = roughness(replaceRegion(view, [quiet], fill).pixels);
      expect(after).toBeGreaterThan(0.4 * before);
      expect(after).toBeLessThan(1.6 * before);
    }
  });

  it("the same seed gives the same pixels", () => {
    const once = replaceRegion(view, [mark], surroundFill(view, [mark], 9));
    expect(replaceRegion(view, [mark], surroundFill(view, [mark], 9))).toEqual(once);
  });
});

describe("[GRD-10] references made of the image", () => {
  it("the mean-filled one has the mean of the shown part everywhere, and the padding is left", () => {
    const { pixels } = meanReference(view);
    const mean = Math.round(meanInside(view.input, view.content) * 255);
    expect(new Set(pixels.subarray(32 * 224, 192 * 224))).toEqual(new Set([mean]));
    expect(pixels.subarray(0, 32 * 224).every((value) => value === 0)).toBe(true);
  });

  it("the blurred one keeps the mean and loses the edges", () => {
    const blurred = blurredReference(view);
    expect(Math.abs(meanInside(blurred, view.content) - meanInside(view.input, view.content))).toBeLessThan(
      0.01,
    );
    const edge = (pixels: Uint8Array) => Math.abs(pixels[80 * 224 + 97]! - pixels[80 * 224 + 103]!);
    expect(edge(view.input.pixels)).toBeGreaterThan(60);
    expect(edge(blurred.pixels)).toBeLessThan(40);
  });
});

describe("gaussian blur", () => {
  it.each([1.5, 4, 7, 12])("has the width that it is asked for: sigma %d", (sigma) => {
    const side = 161;
    const values = new Float32Array(side * side);
    values[80 * side + 80] = 1;
    const blurred = gaussianBlur({ width: side, height: side, values }, sigma).values;
    let total = 0;
    let squares = 0;
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        total += blurred[y * side + x]!;
        squares += blurred[y * side + x]! * (x - 80) ** 2;
      }
    }
    expect(total).toBeCloseTo(1, 2);
    expect(Math.sqrt(squares / total)).toBeGreaterThan(0.93 * sigma);
    expect(Math.sqrt(squares / total)).toBeLessThan(1.1 * sigma);
  });
});

describe("[GRD-11] the foreground", () => {
  it("leaves out a dark border with JPEG noise, and its bounds hold the rest", () => {
    const random = seededRandom(3);
    const noise = normalNoise(224 * 160, random);
    const framed = { ...image, pixels: image.pixels.slice() };
    for (let y = 0; y < 160; y++) {
      for (let x = 0; x < 224; x++)
        if (x < 60) framed.pixels[y * 224 + x] = Math.max(0, Math.round(3 + noise[y * 224 + x]!));
    }
    const foreground = findForeground(paddedView(framed, 224));
    expect(foreground.bounds.x).toBeGreaterThanOrEqual(55);
    expect(foreground.bounds.x).toBeLessThanOrEqual(62);
    expect(foreground.bounds.width).toBeGreaterThan(155);
    expect(foreground.share({ x: 0, y: 32, width: 50, height: 160 })).toBe(0);
    expect(foreground.share({ x: 80, y: 50, width: 100, height: 100 })).toBeGreaterThan(0.95);
  });

  it("is the whole shown part where nothing stands out", () => {
    const blank = { width: 224, height: 160, pixels: new Uint8Array(224 * 160).fill(90) };
    const foreground = findForeground(paddedView(blank, 224));
    expect(foreground.bounds).toEqual({ x: 0, y: 32, width: 224, height: 160 });
  });
});
