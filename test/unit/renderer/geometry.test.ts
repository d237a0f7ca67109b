import { describe, expect, test } from "vitest";
import {
  applyMatrix,
  fitScale,
  fittingCamera,
  imageToStage,
  invertMatrix,
  panBy,
  visiblePart,
  zoomAt,
} from "../../../renderer/viewport/geometry.ts";

const stage = { width: 800, height: 600 };
const image = { columns: 100, rows: 300, aspect: 1 };
const turns = [false, true].flatMap((flip) =>
  ([0, 90, 180, 270] as const).map((rotate) => ({ flip, rotate })),
);

describe("the map from image to stage", () => {
  test("fits the whole image and centres it", () => {
    const matrix = imageToStage(stage, image, fittingCamera);
    expect(applyMatrix(matrix, { x: 0, y: 0 })).toEqual({ x: 300, y: 0 });
    expect(applyMatrix(matrix, { x: 100, y: 300 })).toEqual({ x: 500, y: 600 });
  });

  test("fits a turned image by its turned sides", () => {
    expect(fitScale(stage, image, { flip: false, rotate: 90 })).toBeCloseTo(800 / 300);
  });

  test("pixels that are twice as high as wide are drawn so", () => {
    const tall = { columns: 100, rows: 100, aspect: 2 };
    const matrix = imageToStage(stage, tall, fittingCamera);
    const corner = applyMatrix(matrix, { x: 0, y: 0 });
    const opposite = applyMatrix(matrix, { x: 100, y: 100 });
    expect((opposite.y - corner.y) / (opposite.x - corner.x)).toBeCloseTo(2);
  });

  test("flips left-right first, then turns clockwise", () => {
    const square = { columns: 10, rows: 10, aspect: 1 };
    const box = { width: 10, height: 10 };
    const camera = { ...fittingCamera, turn: { flip: true, rotate: 90 as const } };
    // The top left pixel goes to the top right by the flip and to the bottom right by the turn.
    expect(applyMatrix(imageToStage(box, square, camera), { x: 0.5, y: 0.5 })).toEqual({ x: 9.5, y: 9.5 });
  });

  test.each(turns)("comes back through its inverse: %o", (turn) => {
    const camera = { zoom: 2.7, center: { x: 31, y: 222 }, turn };
    const skew = { columns: 100, rows: 300, aspect: 1.3 };
    const matrix = imageToStage(stage, skew, camera);
    const back = applyMatrix(invertMatrix(matrix), applyMatrix(matrix, { x: 12, y: 250 }));
    expect(back.x).toBeCloseTo(12);
    expect(back.y).toBeCloseTo(250);
  });

  test.each(turns)("zooming holds the point under the mouse: %o", (turn) => {
    const camera = { zoom: 1, center: null, turn };
    const at = { x: 420, y: 200 };
    const before = applyMatrix(invertMatrix(imageToStage(stage, image, camera)), at);
    const zoomed = zoomAt({ stage, image, camera }, at, 3);
    const after = applyMatrix(invertMatrix(imageToStage(stage, image, zoomed)), at);
    expect(after.x).toBeCloseTo(before.x);
    expect(after.y).toBeCloseTo(before.y);
  });

  test.each(turns)("dragging moves the image with the mouse: %o", (turn) => {
    const camera = { zoom: 4, center: { x: 50, y: 150 }, turn };
    const held = { x: 50, y: 150 };
    const panned = panBy({ stage, image, camera }, { x: 30, y: -12 });
    const before = applyMatrix(imageToStage(stage, image, camera), held);
    const after = applyMatrix(imageToStage(stage, image, panned), held);
    expect(after.x - before.x).toBeCloseTo(30);
    expect(after.y - before.y).toBeCloseTo(-12);
  });
});

describe("the visible part", () => {
  test("is null while the whole image is in view", () => {
    expect(visiblePart(stage, image, fittingCamera)).toBeNull();
  });

  test("is the part in whole pixels when zoomed in", () => {
    const camera = { zoom: 4, center: { x: 50, y: 150 }, turn: fittingCamera.turn };
    // At zoom 4 the stage shows 100 x 75 pixels.
    expect(visiblePart(stage, image, camera)).toEqual({ x: 0, y: 112, width: 100, height: 76 });
  });

  test("is told in the stored frame's pixels, however the image is turned", () => {
    const camera = { zoom: 8, center: { x: 20, y: 40 }, turn: { flip: false, rotate: 90 as const } };
    const part = visiblePart(stage, image, camera)!;
    expect(part.y).toBeLessThan(40);
    expect(part.y + part.height).toBeGreaterThan(40);
    expect(part.height).toBeGreaterThan(part.width);
  });
});
