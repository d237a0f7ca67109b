import { describe, expect, test } from "vitest";
import { renderFrame } from "../../../../core/render-frame.ts";
import {
  element,
  file,
  imageElements,
  uint16s,
  type Element,
  type ImageShape,
} from "../../../fixtures/dicom/build-dicom.ts";
import { codeOf, frameOf } from "./read.ts";

const explicitLittle = "1.2.840.10008.1.2.1";
const explicitBig = "1.2.840.10008.1.2.2";

function image(shape: ImageShape, pixels: Uint8Array, more: readonly Element[] = []): Uint8Array {
  const vr = (shape.allocated ?? 8) > 8 ? "OW" : "OB";
  return file(imageElements(shape, [element(0x7fe00010, vr, pixels), ...more]), explicitLittle);
}

const stored = async (octets: Uint8Array, frame = 1) => [...(await frameOf(octets, frame)).values];

describe("bits", () => {
  test("unused high bits are masked, and the sign comes from High Bit", async () => {
    const pixels = uint16s([0xf001, 0x0fff, 0x0800, 0x07ff]);
    const shape = { rows: 2, columns: 2, allocated: 16, stored: 12 };
    expect(await stored(image(shape, pixels))).toEqual([1, 4095, 2048, 2047]);
    expect(await stored(image({ ...shape, signed: true }, pixels))).toEqual([1, -1, -2048, 2047]);
  });

  test("signed octets", async () => {
    const shape = { rows: 1, columns: 3, signed: true };
    expect(await stored(image(shape, Uint8Array.of(0, 127, 255, 0)))).toEqual([0, 127, -1]);
  });

  test("32-bit values, signed and unsigned", async () => {
    const pixels = uint16s([0xffff, 0xffff, 1, 0]);
    const shape = { rows: 1, columns: 2, allocated: 32 };
    expect(await stored(image(shape, pixels))).toEqual([4294967295, 1]);
    expect(await stored(image({ ...shape, signed: true }, pixels))).toEqual([-1, 1]);
  });

  test("single bits follow each other across frames that end inside an octet", async () => {
    // Frames of 3 x 3 bits: 9 ones, then 9 zeros and so on, lowest bit first.
    const pixels = Uint8Array.of(0xff, 0x01, 0xfc, 0x07);
    const shape = { rows: 3, columns: 3, allocated: 1, frames: 3 };
    const octets = image(shape, pixels);
    expect(await stored(octets, 1)).toEqual(Array(9).fill(1));
    expect(await stored(octets, 2)).toEqual(Array(9).fill(0));
    expect(await stored(octets, 3)).toEqual(Array(9).fill(1));
  });

  test("float and double pixels", async () => {
    const shape = { rows: 1, columns: 2, allocated: 32 };
    const floats = file(imageElements(shape, [element(0x7fe00008, "OF", [0.5, -2])]), explicitLittle);
    expect(await stored(floats)).toEqual([0.5, -2]);
    const doubles = file(
      imageElements({ ...shape, allocated: 64 }, [element(0x7fe00009, "OD", [1e-9, 3])]),
      explicitLittle,
    );
    expect(await stored(doubles)).toEqual([1e-9, 3]);
  });

  test("a depth that is not read is named", async () => {
    const twelve = image({ rows: 1, columns: 2, allocated: 12 }, Uint8Array.of(1, 2, 3, 4));
    expect(await codeOf(frameOf(twelve))).toBe("not-supported");
  });
});

describe("big endian", () => {
  test("16-bit words are turned", async () => {
    const elements = imageElements({ rows: 1, columns: 2, allocated: 16 }, [
      element(0x7fe00010, "OW", uint16s([258, 3], false)),
    ]);
    expect(await stored(file(elements, explicitBig, { littleEndian: false }))).toEqual([258, 3]);
  });

  test("octets in OW are swapped in pairs, also where a frame starts at an odd place", async () => {
    const shape = { rows: 1, columns: 3, frames: 2 };
    const swapped = Uint8Array.of(2, 1, 4, 3, 6, 5);
    const octets = file(imageElements(shape, [element(0x7fe00010, "OW", swapped)]), explicitBig, {
      littleEndian: false,
    });
    expect(await stored(octets, 1)).toEqual([1, 2, 3]);
    expect(await stored(octets, 2)).toEqual([4, 5, 6]);
  });
});

describe("colour", () => {
  const rgb = { rows: 1, columns: 2, samples: 3, photometric: "RGB" };

  test("planes become pixels", async () => {
    const planar = element(0x00280006, "US", 1);
    const octets = image(rgb, Uint8Array.of(1, 4, 2, 5, 3, 6), [planar]);
    expect(await stored(octets)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("YBR_FULL_422 repeats its chroma and stays YBR", async () => {
    const octets = image({ ...rgb, photometric: "YBR_FULL_422" }, Uint8Array.of(10, 20, 30, 40));
    const frame = await frameOf(octets);
    expect([...frame.values]).toEqual([10, 30, 40, 20, 30, 40]);
    expect(frame.photometric).toBe("YBR_FULL_422");
  });

  test("a colour space that is not shown is named", async () => {
    const octets = image({ ...rgb, photometric: "HSV" }, Uint8Array.of(1, 2, 3, 4, 5, 6));
    expect(await codeOf(frameOf(octets))).toBe("photometric-not-supported");
  });

  test("samples that do not go with the colour space are named", async () => {
    const octets = image({ ...rgb, photometric: "MONOCHROME2" }, Uint8Array.of(1, 2, 3, 4, 5, 6));
    expect(await codeOf(frameOf(octets))).toBe("photometric-not-supported");
  });
});

describe("palettes", () => {
  const shape = { rows: 1, columns: 4, photometric: "PALETTE COLOR" };
  const channel = (offset: number, data: Uint8Array, descriptor: readonly number[]) => [
    element(0x00281101 + offset, "US", descriptor),
    element(0x00281201 + offset, "OW", data),
  ];
  const palette = (data: (channel: number) => Uint8Array, descriptor: readonly number[]) =>
    [0, 1, 2].flatMap((i) => channel(i, data(i), descriptor));
  const shown = async (octets: Uint8Array) => [...renderFrame(await frameOf(octets), { voi: null }).pixels];

  test("16-bit entries are reduced, and indices outside take the end entries", async () => {
    const entries = palette((i) => uint16s([(10 + i) << 8, (20 + i) << 8]), [2, 100, 16]);
    const octets = image(shape, Uint8Array.of(0, 100, 101, 255), entries);
    expect(await shown(octets)).toEqual([10, 11, 12, 10, 11, 12, 20, 21, 22, 20, 21, 22]);
  });

  test("a palette that is shorter than it says shows no octet from behind it", async () => {
    const entries = palette((i) => uint16s([(10 + i) << 8, (20 + i) << 8]), [256, 0, 16]);
    const octets = image(shape, Uint8Array.of(0, 1, 2, 255), entries);
    expect(await shown(octets)).toEqual([10, 11, 12, 20, 21, 22, 20, 21, 22, 20, 21, 22]);
  });

  test("8-bit entries, packed or one a word", async () => {
    const packed = palette((i) => Uint8Array.of(i, 100 + i), [2, 0, 8]);
    const wide = palette((i) => uint16s([i, 100 + i]), [2, 0, 8]);
    for (const entries of [packed, wide]) {
      const octets = image(shape, Uint8Array.of(0, 1, 0, 1), entries);
      expect((await shown(octets)).slice(0, 6)).toEqual([0, 1, 2, 100, 101, 102]);
    }
  });

  test("segments: discrete, linear, and a jump back", async () => {
    const segments = uint16s([0, 1, 0x1000, 1, 3, 0x4000, 2, 1, 0, 0]);
    const entries = [0, 1, 2].flatMap((i) => [
      element(0x00281101 + i, "US", [5, 0, 16]),
      element(0x00281221 + i, "OW", segments),
    ]);
    const octets = image({ ...shape, columns: 5 }, Uint8Array.of(0, 1, 2, 3, 4), entries);
    const red = (await shown(octets)).filter((_, i) => i % 3 === 0);
    expect(red).toEqual([0x10, 0x20, 0x30, 0x40, 0x10]);
  });

  test("segments that jump into themselves end", async () => {
    const entries = [0, 1, 2].flatMap((i) => [
      element(0x00281101 + i, "US", [0, 0, 16]),
      element(0x00281221 + i, "OW", uint16s([2, 0xffff, 0, 0, 2, 0xffff, 0, 0])),
    ]);
    const frame = await frameOf(image(shape, Uint8Array.of(0, 1, 2, 3), entries));
    expect(frame.palette).toBeNull();
    expect(frame.warnings.join()).toMatch(/palette is missing or damaged/);
  });
});

describe("attributes of a frame", () => {
  const shape = { rows: 1, columns: 2, allocated: 16 };
  const pixels = uint16s([0, 1000]);
  const read = (more: readonly Element[], changes: Partial<ImageShape> = {}) =>
    frameOf(image({ ...shape, ...changes }, pixels, more));

  test("rescale, windows and their function", async () => {
    const frame = await read([
      element(0x00080060, "CS", "CT"),
      element(0x00281050, "DS", "40\\-600"),
      element(0x00281051, "DS", "400\\1500"),
      element(0x00281052, "DS", "-1024"),
      element(0x00281053, "DS", "1"),
      element(0x00281055, "LO", "SOFT\\LUNG"),
      element(0x00281056, "CS", "SIGMOID"),
    ]);
    expect(frame.modalityTransform).toEqual({ type: "rescale", slope: 1, intercept: -1024, unit: "HU" });
    expect(frame.voiWindows).toEqual([
      { center: 40, width: 400, function: "SIGMOID", explanation: "SOFT" },
      { center: -600, width: 1500, function: "SIGMOID", explanation: "LUNG" },
    ]);
  });

  test("windows of no width are left out with a warning", async () => {
    const frame = await read([element(0x00281050, "DS", "40\\50"), element(0x00281051, "DS", "0\\10")]);
    expect(frame.voiWindows.map((one) => one.center)).toEqual([50]);
    expect(frame.warnings.join()).toMatch(/no usable centre or width/);
  });

  test("VOI and modality tables", async () => {
    const table = (first: number) => [
      element(0x00283002, "US", [3, first, 8]),
      element(0x00283006, "OW", uint16s([0, 100, 255])),
    ];
    const frame = await read([
      element(0x00283000, "SQ", [[...table(0), element(0x00283004, "LO", "OD")]]),
      element(0x00283010, "SQ", [table(50)]),
    ]);
    expect(frame.modalityTransform).toEqual({
      type: "table",
      table: { firstMapped: 0, bits: 8, values: [0, 100, 255] },
      unit: "OD",
    });
    expect(frame.voiTables[0]?.table.firstMapped).toBe(50);
  });

  test("padding with its range, and a value that no pixel can hold", async () => {
    const padding = (value: number, limit: number) => [
      element(0x00280120, "US", value),
      element(0x00280121, "US", limit),
    ];
    expect((await read(padding(0, 5))).padding).toEqual({ low: 0, high: 5 });
    // 63536 is -2000 written with the wrong VR.
    expect((await read(padding(63536, 63536), { signed: true })).padding).toEqual({
      low: -2000,
      high: -2000,
    });
    expect((await read(padding(63536, 63536), { stored: 12 })).padding).toBeNull();
  });

  test("each frame of an enhanced object has its own rescale, window and place", async () => {
    const groups = (slope: string, center: string, z: string) => [
      element(0x00289145, "SQ", [[element(0x00281052, "DS", "0"), element(0x00281053, "DS", slope)]]),
      element(0x00289132, "SQ", [[element(0x00281050, "DS", center), element(0x00281051, "DS", "100")]]),
      element(0x00209113, "SQ", [[element(0x00200032, "DS", `0\\0\\${z}`)]]),
    ];
    const shared = [
      element(0x00289110, "SQ", [[element(0x00280030, "DS", "0.5\\0.25")]]),
      element(0x00209116, "SQ", [[element(0x00200037, "DS", "1\\0\\0\\0\\1\\0")]]),
    ];
    const octets = image({ ...shape, columns: 1, frames: 2 }, pixels, [
      element(0x52009229, "SQ", [shared]),
      element(0x52009230, "SQ", [groups("2", "10", "-5"), groups("3", "20", "7.5")]),
    ]);
    const [first, second] = [await frameOf(octets, 1), await frameOf(octets, 2)];
    expect(first.modalityTransform).toMatchObject({ slope: 2 });
    expect(second.modalityTransform).toMatchObject({ slope: 3 });
    expect(second.voiWindows[0]?.center).toBe(20);
    expect(second.placement).toMatchObject({ position: [0, 0, 7.5], orientation: [1, 0, 0, 0, 1, 0] });
    expect(second.spacing).toEqual({ row: 0.5, column: 0.25, source: "pixel" });
  });

  test("spacing at the detector of a radiograph is never a length in the patient", async () => {
    const cr = element(0x00080060, "CS", "CR");
    const imager = element(0x00181164, "DS", "0.2\\0.2");
    const pixel = (value: string) => element(0x00280030, "DS", value);
    expect((await read([cr, imager])).spacing?.source).toBe("imager");
    expect((await read([cr, imager, pixel("0.2\\0.2")])).spacing?.source).toBe("imager");
    expect((await read([cr, imager, pixel("0.18\\0.18")])).spacing?.source).toBe("calibrated");
    expect((await read([element(0x00080060, "CS", "CT"), pixel("0.5\\0.5")])).spacing?.source).toBe("pixel");
  });

  test("direction cosines that are no right angle are not used", async () => {
    const skew = element(0x00200037, "DS", "1\\0\\0\\1\\0\\0");
    expect((await read([skew])).placement.orientation).toBeNull();
  });
});

describe("truncated pixels", () => {
  test("whole frames are read, the cut one is named", async () => {
    const whole = image(
      { rows: 2, columns: 2, frames: 3 },
      Uint8Array.from({ length: 12 }, (_, i) => i),
    );
    const cut = whole.subarray(0, whole.length - 2);
    expect(await stored(cut, 2)).toEqual([4, 5, 6, 7]);
    expect(await codeOf(frameOf(cut, 3))).toBe("pixel-data-truncated");
  });

  test("a size that the pixels do not fill allocates nothing", async () => {
    const octets = image({ rows: 65_535, columns: 65_535 }, Uint8Array.of(1, 2));
    expect(await codeOf(frameOf(octets))).toBe("too-large");
    const less = image({ rows: 16_000, columns: 16_000 }, Uint8Array.of(1, 2));
    expect(await codeOf(frameOf(less))).toBe("pixel-data-truncated");
  });
});
