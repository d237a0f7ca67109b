import { deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { compressed, encode, lossless, syntax } from "../../../fixtures/dicom/build-compressed.ts";
import {
  element,
  joined,
  text,
  uint32s,
  type Element,
  type ImageShape,
} from "../../../fixtures/dicom/build-dicom.ts";
import { codeOf, frameOf } from "./read.ts";

// Odd sizes: 17 x 13.
const [width, height] = [17, 13];
const ramp = Uint16Array.from({ length: width * height }, (_, i) => (i * 37 + ((i * i) % 91)) % 4096);
const rampOctets = new Uint8Array(ramp.buffer);
const shape12: ImageShape = { rows: height, columns: width, allocated: 16, stored: 12 };
const picture12 = { width, height, bits: 12, components: 1, octets: rampOctets };

describe("lossless codecs give back what went in", () => {
  test.each(["jpegLs", "jpeg2000", "htj2k", "jpegXl"] as const)("%s, 12 bits", async (name) => {
    const stream = await encode(lossless[name], picture12);
    const frame = await frameOf(compressed({ shape: shape12, syntax: syntax[name], fragments: [stream] }));
    expect(frame.values).toEqual(ramp);
  });

  test.each(["jpegLs", "jpeg2000", "htj2k", "jpegXl"] as const)("%s, colour", async (name) => {
    const octets = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 13) % 256);
    const stream = await encode(lossless[name], { ...picture12, bits: 8, components: 3, octets });
    const shape = { rows: height, columns: width, samples: 3, photometric: "RGB" };
    const frame = await frameOf(compressed({ shape, syntax: syntax[name], fragments: [stream] }));
    expect(frame.values).toEqual(octets);
    expect(frame.photometric).toBe("RGB");
  });

  test("an unsigned codestream under a signed header gets its sign from High Bit", async () => {
    const stream = await encode(lossless.jpeg2000, picture12);
    const shape = { ...shape12, signed: true };
    const frame = await frameOf(compressed({ shape, syntax: syntax.jpeg2000, fragments: [stream] }));
    expect(frame.values).toEqual(Int16Array.from(ramp, (value) => (value << 20) >> 20));
  });

  test.each(["jpeg2000", "htj2k"] as const)("%s, 8 bits signed: negative values survive", async (name) => {
    // The encoders cannot: a signed codestream is one whose values were raised by half the range, with a bit in SIZ.
    const signed = Int8Array.from({ length: width * height }, (_, i) => ((i * 29) % 256) - 128);
    const octets = Uint8Array.from(signed, (value) => value + 128);
    const stream = await encode(lossless[name], { ...picture12, bits: 8, octets });
    stream[42] = stream[42]! | 0x80;
    const shape = { rows: height, columns: width, signed: true };
    const frame = await frameOf(compressed({ shape, syntax: syntax[name], fragments: [stream] }));
    expect(frame.values).toEqual(signed);
  });

  test("RLE, 16 bits: one segment an octet, most significant first", async () => {
    const stream = rle([
      [0x01, 0x02],
      [0x10, 0x20],
    ]);
    const shape = { rows: 1, columns: 2, allocated: 16 };
    const frame = await frameOf(compressed({ shape, syntax: syntax.rle, fragments: [stream] }));
    expect([...frame.values]).toEqual([0x0110, 0x0220]);
  });

  test("RLE runs, literal and repeated", async () => {
    // Repeat 7 four times, then 1 2 3 literally; 128 means nothing.
    const segment = Uint8Array.of(128, 253, 7, 2, 1, 2, 3);
    const stream = joined([rleHeader([64]), segment]);
    const shape = { rows: 1, columns: 7 };
    const frame = await frameOf(compressed({ shape, syntax: syntax.rle, fragments: [stream] }));
    expect([...frame.values]).toEqual([7, 7, 7, 7, 1, 2, 3]);
  });

  describe("JPEG XL", () => {
    const shape = { rows: height, columns: width, samples: 3, photometric: "RGB" };
    const octets = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 13) % 256);
    const jpegXl = () => encode("encodeJpegXl", { ...picture12, bits: 8, components: 3, octets });
    const box = (type: string, content: Uint8Array) => {
      const head = new Uint8Array(8);
      new DataView(head.buffer).setUint32(0, 8 + content.length);
      head.set(text(type), 4);
      return joined([head, content]);
    };

    test("in a container of boxes", async () => {
      const signature = box("JXL ", Uint8Array.of(13, 10, 0x87, 10));
      const type = box("ftyp", joined([text("jxl "), new Uint8Array(4), text("jxl ")]));
      const stream = joined([signature, type, box("jxlc", await jpegXl())]);
      const frame = await frameOf(compressed({ shape, syntax: syntax.jpegXl, fragments: [stream] }));
      expect(frame.values).toEqual(octets);
    });

    test("of another size than the header says, or cut: named", async () => {
      const stream = await jpegXl();
      const other = { ...shape, columns: width + 1 };
      const cut = stream.subarray(0, stream.length >> 1);
      for (const [described, fragment] of [
        [other, stream],
        [shape, cut],
      ] as const) {
        const file = compressed({ shape: described, syntax: syntax.jpegXl, fragments: [fragment] });
        expect(await codeOf(frameOf(file))).toBe("pixel-data-damaged");
      }
    });
  });

  test("deflated frames and encapsulated uncompressed frames", async () => {
    const shape = { rows: 1, columns: 4, frames: 2 };
    const plain = [Uint8Array.of(1, 2, 3, 4), Uint8Array.of(5, 6, 7, 8)];
    const deflated = plain.map((octets) => new Uint8Array(deflateRawSync(octets)));
    const asDeflated = compressed({ shape, syntax: syntax.deflatedFrames, fragments: deflated });
    const asPlain = compressed({ shape, syntax: syntax.encapsulated, fragments: plain });
    for (const octets of [asDeflated, asPlain]) {
      expect([...(await frameOf(octets, 2)).values]).toEqual([5, 6, 7, 8]);
    }
  });
});

describe("JPEG colour", () => {
  test("YCbCr becomes RGB, whatever YBR the header names", async () => {
    const octets = new Uint8Array(16 * 16 * 3);
    for (let i = 0; i < 256; i += 1) octets.set([200, 40, 90], i * 3);
    const stream = await encode(
      "encodeJpeg",
      { width: 16, height: 16, bits: 8, components: 3, octets },
      true,
    );
    const shape = { rows: 16, columns: 16, samples: 3, photometric: "YBR_FULL_422" };
    const frame = await frameOf(compressed({ shape, syntax: syntax.jpeg, fragments: [stream] }));
    expect(frame.photometric).toBe("RGB");
    const [r, g, b] = frame.values as Uint8Array;
    for (const [value, wanted] of [
      [r, 200],
      [g, 40],
      [b, 90],
    ] as const) {
      expect(Math.abs(value! - wanted)).toBeLessThanOrEqual(3);
    }
  });

  test("12-bit DCT is named or decoded, never shown wrong", async () => {
    const header = Uint8Array.of(0xff, 0xd8, 0xff, 0xc1, 0, 11, 12, 0, 2, 0, 2, 1, 1, 0x11, 0, 0xff, 0xd9);
    const shape = { rows: 2, columns: 2, allocated: 16, stored: 12 };
    const octets = compressed({ shape, syntax: "1.2.840.10008.1.2.4.51", fragments: [header] });
    expect(["transfer-syntax-not-supported", "pixel-data-damaged"]).toContain(await codeOf(frameOf(octets)));
  });
});

describe("fragments and offset tables", () => {
  const frameOctets = (value: number) => joined([rleHeader([64]), Uint8Array.of(253, value)]);
  const shape = { rows: 2, columns: 2, frames: 3 };
  const fragments = [frameOctets(1), frameOctets(2), frameOctets(3)];
  const size = fragments[0]!.length + 8;
  const read = (offsets: readonly number[], more: readonly Element[] = []) => {
    const octets = compressed({ shape, syntax: syntax.rle, fragments, offsets, more });
    return Promise.all([1, 2, 3].map(async (n) => (await frameOf(octets, n)).values[0]));
  };

  test("a true offset table is used", async () => {
    expect(await read([0, size, size * 2])).toEqual([1, 2, 3]);
  });

  test.each([
    ["points between fragments", [0, 3, 7]],
    ["points outside the file", [0, 0xfffffff0, 0xfffffff8]],
    ["descends", [size * 2, size, 0]],
    ["has too few entries", [0, size]],
    ["has the same entry twice", [0, 0, size]],
  ])("a table that %s is not believed", async (_, offsets) => {
    expect(await read(offsets)).toEqual([1, 2, 3]);
  });

  test("a true extended offset table is used", async () => {
    // The first frame is in two fragments, which only the table says.
    const [one, two, three] = fragments as [Uint8Array, Uint8Array, Uint8Array];
    const octets = compressed({
      shape,
      syntax: syntax.rle,
      fragments: [one.subarray(0, 32), one.subarray(32), two, three],
      more: [element(0x7fe00001, "OV", [0, size + 8, size * 2 + 8])],
    });
    expect((await frameOf(octets, 1)).values[0]).toBe(1);
    expect((await frameOf(octets, 3)).values[0]).toBe(3);
  });

  test("an extended offset table that lies is not believed", async () => {
    expect(await read([], [element(0x7fe00001, "OV", [0, 12, 999_999])])).toEqual([1, 2, 3]);
  });

  test("a frame in many fragments without any table is put together by its markers", async () => {
    const stream = await encode(lossless.jpegLs, picture12);
    const parts = [stream.subarray(0, 40), stream.subarray(40, 80), stream.subarray(80)];
    const octets = compressed({
      shape: { ...shape12, frames: 2 },
      syntax: syntax.jpegLs,
      fragments: [...parts, ...parts],
    });
    expect((await frameOf(octets, 2)).values).toEqual(ramp);
  });

  test("frames that the file does not have are named", async () => {
    const octets = compressed({ shape: { ...shape, frames: 5 }, syntax: syntax.rle, fragments });
    expect(await codeOf(frameOf(octets, 3))).toBe("no error");
    expect(await codeOf(frameOf(octets, 4))).toBe("pixel-data-truncated");
  });

  test("a file cut inside its last fragment still gives the frames before", async () => {
    const octets = compressed({ shape, syntax: syntax.rle, fragments });
    const cut = octets.subarray(0, octets.length - 12);
    expect((await frameOf(cut, 2)).values[0]).toBe(2);
    expect(await codeOf(frameOf(cut, 3))).toBe("pixel-data-truncated");
  });
});

describe("damage is named", () => {
  const jpegLs = (stream: Uint8Array) =>
    compressed({ shape: shape12, syntax: syntax.jpegLs, fragments: [stream] });

  test("a codestream of another size than the header allocates nothing", async () => {
    const stream = await encode(lossless.jpegLs, picture12);
    const shape = { ...shape12, rows: height + 1 };
    const octets = compressed({ shape, syntax: syntax.jpegLs, fragments: [stream] });
    expect(await codeOf(frameOf(octets))).toBe("pixel-data-damaged");
  });

  test("noise instead of a codestream, and the next frame is decoded all the same", async () => {
    const noise = Uint8Array.from({ length: 500 }, (_, i) => (i * 97) % 251);
    expect(await codeOf(frameOf(jpegLs(noise)))).toBe("pixel-data-damaged");
    const stream = await encode(lossless.jpegLs, picture12);
    const spoilt = stream.slice();
    spoilt.fill(0xff, 60, 90);
    expect(await codeOf(frameOf(jpegLs(spoilt)))).toMatch(/no error|pixel-data-damaged/);
    expect((await frameOf(jpegLs(stream))).values).toEqual(ramp);
  });

  test.each([
    ["a segment count that does not fit", [64, 70]],
    ["an offset behind the end", [5000]],
    ["an offset inside the header", [8]],
  ])("RLE with %s", async (_, offsets) => {
    const stream = joined([rleHeader(offsets), Uint8Array.of(253, 1)]);
    const octets = compressed({ shape: { rows: 2, columns: 2 }, syntax: syntax.rle, fragments: [stream] });
    expect(await codeOf(frameOf(octets))).toBe("pixel-data-damaged");
  });

  test("RLE that ends early", async () => {
    const stream = joined([rleHeader([64]), Uint8Array.of(255, 1)]);
    const octets = compressed({ shape: { rows: 2, columns: 2 }, syntax: syntax.rle, fragments: [stream] });
    expect(await codeOf(frameOf(octets))).toBe("pixel-data-truncated");
  });

  test("a deflated frame that grows beyond its size", async () => {
    const bomb = new Uint8Array(deflateRawSync(new Uint8Array(10_000_000)));
    const octets = compressed({
      shape: { rows: 2, columns: 2 },
      syntax: syntax.deflatedFrames,
      fragments: [bomb],
    });
    expect(await codeOf(frameOf(octets))).toBe("pixel-data-damaged");
  });

  test("no fragments at all", async () => {
    const octets = compressed({ shape: { rows: 2, columns: 2 }, syntax: syntax.rle, fragments: [] });
    expect(await codeOf(frameOf(octets))).toBe("pixel-data-damaged");
  });

  test.each([
    ["MPEG-2", "1.2.840.10008.1.2.4.100"],
    ["a syntax nobody knows", "1.2.3.4"],
  ])("%s is named as not decoded", async (_, uid) => {
    const octets = compressed({ shape: { rows: 2, columns: 2 }, syntax: uid, fragments: [text("????")] });
    expect(await codeOf(frameOf(octets))).toBe("transfer-syntax-not-supported");
  });
});

function rleHeader(offsets: readonly number[]): Uint8Array {
  return uint32s([offsets.length, ...offsets, ...Array.from({ length: 15 - offsets.length }, () => 0)]);
}

/** Literal segments. */
function rle(segments: readonly (readonly number[])[]): Uint8Array {
  const bodies = segments.map((values) => Uint8Array.of(values.length - 1, ...values));
  const offsets = bodies.map((_, i) => 64 + bodies.slice(0, i).reduce((sum, body) => sum + body.length, 0));
  return joined([rleHeader(offsets), ...bodies]);
}
