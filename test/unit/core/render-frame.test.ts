import { describe, expect, test } from "vitest";
import type { PixelFrame } from "../../../core/frame.ts";
import { renderFrame } from "../../../core/render-frame.ts";
import type { ViewVoi } from "../../../core/view.ts";
import { defaultVoi } from "../../../core/voi.ts";
import { frameOf } from "../../fixtures/sample-frame.ts";

const window = (center: number, width: number, name: "LINEAR" | "LINEAR_EXACT" | "SIGMOID"): ViewVoi => ({
  kind: "window",
  center,
  width,
  function: name,
});

function levels(frame: PixelFrame, voi: ViewVoi | null, invert = false): number[] {
  return [...renderFrame(frame, { voi, invert }).pixels];
}

describe("VOI windows (PS3.3 C.11.2.1)", () => {
  test("LINEAR with centre 2048 and width 4096 meets the worked example of the standard", () => {
    const frame = frameOf(Uint16Array.of(0, 1, 2047, 2048, 4094, 4095));
    // y = ((x - 2047.5) / 4095 + 0.5) * 255
    expect(levels(frame, window(2048, 4096, "LINEAR"))).toEqual([0, 0, 127, 128, 255, 255]);
  });

  test("LINEAR of centre 128 and width 256 leaves 8-bit values as they are", () => {
    const values = Uint8Array.from({ length: 256 }, (_, i) => i);
    expect(levels(frameOf(values), window(128, 256, "LINEAR"))).toEqual([...values]);
  });

  test("LINEAR of width 1 is a threshold", () => {
    expect(levels(frameOf(Uint8Array.of(99, 100, 101)), window(100.5, 1, "LINEAR"))).toEqual([0, 0, 255]);
  });

  test("LINEAR_EXACT is symmetric about its centre", () => {
    const frame = frameOf(Int16Array.of(-101, -100, 0, 100, 101));
    expect(levels(frame, window(0, 200, "LINEAR_EXACT"))).toEqual([0, 0, 128, 255, 255]);
  });

  test("SIGMOID follows 1 / (1 + exp(-4 (x - c) / w))", () => {
    const frame = frameOf(Int16Array.of(-1000, 0, 50, 1000));
    const expected = Math.round(255 / (1 + Math.exp((-4 * 50) / 100)));
    expect(levels(frame, window(0, 100, "SIGMOID"))).toEqual([0, 128, expected, 255]);
  });
});

describe("modality transform", () => {
  test("a window applies to rescaled values, also of a signed frame", () => {
    const frame = frameOf(Int16Array.of(-1024, 0, 1024), {
      modalityTransform: { type: "rescale", slope: 2, intercept: -100, unit: "HU" },
    });
    expect(levels(frame, window(-100, 4096, "LINEAR_EXACT"))).toEqual([0, 128, 255]);
  });

  test("a negative slope turns the picture round", () => {
    const frame = frameOf(Uint8Array.of(0, 255), {
      modalityTransform: { type: "rescale", slope: -1, intercept: 255, unit: "" },
    });
    expect(levels(frame, window(128, 256, "LINEAR"))).toEqual([255, 0]);
  });

  test("a modality table clamps below its first and above its last entry", () => {
    const frame = frameOf(Uint8Array.of(9, 10, 11, 12, 200), {
      modalityTransform: {
        type: "table",
        table: { firstMapped: 10, bits: 8, values: [0, 100, 200] },
        unit: "US",
      },
    });
    expect(levels(frame, window(128, 256, "LINEAR"))).toEqual([0, 0, 100, 200, 200]);
  });
});

describe("VOI tables", () => {
  const table = { firstMapped: 100, bits: 10, values: [0, 341, 1023] };

  test("entries are scaled by the bits of the descriptor", () => {
    const frame = frameOf(Uint16Array.of(0, 101, 65535), { voiTables: [{ table, explanation: "" }] });
    expect(levels(frame, { kind: "lut", index: 0 })).toEqual([0, 85, 255]);
  });

  test("entries above what the descriptor allows never wrap round", () => {
    const liar = { ...table, bits: 8 };
    const frame = frameOf(Uint16Array.of(0, 101, 102), { voiTables: [{ table: liar, explanation: "" }] });
    expect(levels(frame, { kind: "lut", index: 0 })).toEqual([0, 85, 255]);
  });

  test("a table that is not there is bad input", () => {
    expect(() => levels(frameOf(Uint8Array.of(1)), { kind: "lut", index: 0 })).toThrow(/no VOI LUT/);
  });
});

describe("presentation", () => {
  const identity = window(128, 256, "LINEAR");

  test("MONOCHROME1 shows the lowest value white", () => {
    expect(levels(frameOf(Uint8Array.of(0, 255), { photometric: "MONOCHROME1" }), identity)).toEqual([
      255, 0,
    ]);
  });

  test("MONOCHROME1 with Presentation LUT Shape INVERSE is inverted once, not twice", () => {
    const frame = frameOf(Uint8Array.of(0, 255), { photometric: "MONOCHROME1", presentationInverse: true });
    expect(levels(frame, identity)).toEqual([255, 0]);
  });

  test("the user's inversion undoes MONOCHROME1", () => {
    const frame = frameOf(Uint8Array.of(0, 255), { photometric: "MONOCHROME1" });
    expect(levels(frame, identity, true)).toEqual([0, 255]);
  });

  test("padding is black in MONOCHROME1 and MONOCHROME2 and turns with the user's inversion", () => {
    for (const photometric of ["MONOCHROME1", "MONOCHROME2"] as const) {
      const frame = frameOf(Uint8Array.of(0, 10, 20), { photometric, padding: { low: 0, high: 10 } });
      expect(levels(frame, identity).slice(0, 2)).toEqual([0, 0]);
      expect(levels(frame, identity, true).slice(0, 2)).toEqual([255, 255]);
    }
  });

  test("floats that are no number are black", () => {
    const frame = frameOf(Float32Array.of(NaN, Infinity, 0, 1));
    expect(levels(frame, null)).toEqual([0, 0, 0, 255]);
  });

  test("a 32-bit frame wider than any table is rendered value by value", () => {
    const frame = frameOf(Uint32Array.of(0, 2 ** 31, 2 ** 32 - 1));
    expect(levels(frame, { kind: "none" })).toEqual([0, 128, 255]);
  });
});

describe("colour", () => {
  test("8-bit RGB is copied, never shared with the frame", () => {
    const frame = frameOf(Uint8Array.of(1, 2, 3), { samplesPerPixel: 3, photometric: "RGB" });
    const picture = renderFrame(frame, { voi: null, invert: true });
    expect([...picture.pixels]).toEqual([254, 253, 252]);
    expect([...frame.values]).toEqual([1, 2, 3]);
  });

  test("16-bit RGB is scaled by Bits Stored", () => {
    const frame = frameOf(Uint16Array.of(0, 2048, 4095), {
      samplesPerPixel: 3,
      photometric: "RGB",
      bitsStored: 12,
    });
    expect(levels(frame, null)).toEqual([0, 128, 255]);
  });

  test("YBR_FULL becomes RGB by PS3.3 C.7.6.3.1.2, within one level over the colour cube", () => {
    const rgb: number[] = [];
    for (let r = 0; r < 256; r += 51)
      for (let g = 0; g < 256; g += 51) for (let b = 0; b < 256; b += 51) rgb.push(r, g, b);
    const ybr = new Uint8Array(rgb.length);
    for (let i = 0; i < rgb.length; i += 3) {
      const [r, g, b] = [rgb[i]!, rgb[i + 1]!, rgb[i + 2]!];
      ybr[i] = Math.round(0.299 * r + 0.587 * g + 0.114 * b);
      ybr[i + 1] = Math.min(255, Math.round(-0.168736 * r - 0.331264 * g + 0.5 * b + 128));
      ybr[i + 2] = Math.min(255, Math.round(0.5 * r - 0.418688 * g - 0.081312 * b + 128));
    }
    const out = levels(frameOf(ybr, { samplesPerPixel: 3, photometric: "YBR_FULL" }), null);
    // Rounding to 8-bit chroma alone costs up to one level in green and red, two in blue.
    for (let i = 0; i < rgb.length; i += 1) expect(Math.abs(out[i]! - rgb[i]!)).toBeLessThanOrEqual(2);
  });

  test("palette indices outside the palette take its end entries", () => {
    const palette = {
      firstMapped: 5,
      red: Uint8Array.of(10, 20),
      green: Uint8Array.of(11, 21),
      blue: Uint8Array.of(12, 22),
    };
    const frame = frameOf(Uint8Array.of(0, 5, 6, 255), { photometric: "PALETTE COLOR", palette });
    expect(levels(frame, null)).toEqual([10, 11, 12, 10, 11, 12, 20, 21, 22, 20, 21, 22]);
  });
});

describe("the default VOI", () => {
  const voiWindows = [
    { center: 40, width: 400, function: "LINEAR" as const, explanation: "ABDOMEN" },
    { center: -600, width: 1500, function: "LINEAR" as const, explanation: "LUNG" },
  ];
  const voiTables = [{ table: { firstMapped: 0, bits: 8, values: [0, 255] }, explanation: "" }];

  test("is the first window, before any table", () => {
    const frame = frameOf(Int16Array.of(0), { voiWindows, voiTables });
    expect(defaultVoi(frame)).toEqual(window(40, 400, "LINEAR"));
  });

  test("is the first table where there is no window", () => {
    expect(defaultVoi(frameOf(Int16Array.of(0), { voiTables }))).toEqual({ kind: "lut", index: 0 });
  });

  test("else runs from the 1st to the 99th percentile without padding, in modality values", () => {
    const values = Int16Array.from({ length: 1000 }, (_, i) => (i < 500 ? -2000 : i - 500));
    const frame = frameOf(values, {
      padding: { low: -2000, high: -2000 },
      modalityTransform: { type: "rescale", slope: 2, intercept: 10, unit: "" },
    });
    // 500 values 0..499: nearest ranks 5 and 495 are 4 and 494.
    expect(defaultVoi(frame)).toEqual(window((18 + 998) / 2, 980, "LINEAR_EXACT"));
  });

  test("falls back to the whole range where the percentiles meet", () => {
    const values = new Uint8Array(1000);
    values[7] = 200;
    expect(defaultVoi(frameOf(values))).toEqual(window(100, 200, "LINEAR_EXACT"));
  });

  test("is none for colour", () => {
    const frame = frameOf(Uint8Array.of(1, 2, 3), { samplesPerPixel: 3, photometric: "RGB", voiWindows });
    expect(defaultVoi(frame)).toEqual({ kind: "none" });
  });
});
