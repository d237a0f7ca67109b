import { describe, expect, test } from "vitest";
import { lengthText, pixelText } from "../../../renderer/viewport/measure.ts";
import { grey } from "./frames.ts";

const line = { from: { x: 10, y: 10 }, to: { x: 40, y: 50 } };

describe("a length", () => {
  test("is in mm by the spacing of rows and of columns", () => {
    expect(lengthText({ row: 0.5, column: 0.5, source: "pixel" }, line)).toBe("25.0 mm");
    expect(lengthText({ row: 2, column: 0.5, source: "pixel" }, line)).toBe("81.4 mm");
  });

  test("says that it was calibrated", () => {
    expect(lengthText({ row: 1, column: 1, source: "calibrated" }, line)).toBe("50.0 mm (calibrated)");
  });

  test("is never in mm at the detector of a projection, nor without a spacing", () => {
    expect(lengthText({ row: 0.1, column: 0.1, source: "imager" }, line)).toBe("50.0 px");
    expect(lengthText(null, line)).toBe("50.0 px");
  });
});

describe("the value under the pointer", () => {
  const values = Int16Array.from({ length: 24 }, (_, index) => index);

  test("is the modality value with its unit", () => {
    const ct = grey({
      values,
      modalityTransform: { type: "rescale", slope: 2, intercept: -1024, unit: "HU" },
    });
    expect(pixelText(ct, { x: 2.9, y: 1.2 })).toBe("x 2  y 1  -1008 HU");
  });

  test("is the stored value where nothing is known about it", () => {
    expect(pixelText(grey({ values }), { x: 0, y: 0 })).toBe("x 0  y 0  0");
    const unspecified = grey({
      values,
      modalityTransform: { type: "rescale", slope: 0.1, intercept: 0, unit: "US" },
    });
    expect(pixelText(unspecified, { x: 3, y: 0 })).toBe("x 3  y 0  0.3");
  });

  test("is three values in colour and none in the padding", () => {
    const colour = grey({ samplesPerPixel: 3, photometric: "RGB", values: new Uint8Array(72).fill(7) });
    expect(pixelText(colour, { x: 5, y: 3 })).toBe("x 5  y 3  7 / 7 / 7");
    expect(pixelText(grey({ values, padding: { low: 0, high: 0 } }), { x: 0, y: 0 })).toBe(
      "x 0  y 0  no value",
    );
  });

  test("ends with the image", () => {
    expect(pixelText(grey(), { x: 6, y: 0 })).toBeNull();
    expect(pixelText(grey(), { x: -0.1, y: 0 })).toBeNull();
  });
});
