import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { decodeJpeg } from "../../../../archive/dicom/codecs/decode-codestream.ts";
import { codeOf, frameOf, parse } from "./read.ts";

/** Written by DCMTK; see make-jpeg-fixtures.py beside them. */
const fixture = async (name: string) =>
  new Uint8Array(await readFile(new URL(`../../../fixtures/dicom/${name}.dcm`, import.meta.url)));

const size = 17 * 13;
const ramp = Uint16Array.from({ length: size }, (_, i) => (i * 37 + ((i * i) % 91)) % 4096);

const twoByTwo = { rows: 2, columns: 2, samples: 1, photometric: "MONOCHROME2" } as const;

describe("JPEG Lossless", () => {
  test.each([1, 2, 3, 4, 5, 6, 7])("predictor %i", async (predictor) => {
    const octets = await fixture(`jpeg-lossless-${predictor}`);
    expect((await parse(octets)).syntax.uid).toBe("1.2.840.10008.1.2.4.57");
    expect((await frameOf(octets)).values).toEqual(ramp);
  });

  test("a point transform leaves the lowest bits out", async () => {
    const { values } = await frameOf(await fixture("jpeg-lossless-shift"));
    expect(values).toEqual(ramp.map((value) => (value >> 2) << 2));
  });

  test("colour", async () => {
    const frame = await frameOf(await fixture("jpeg-lossless-colour"));
    expect([...frame.values]).toEqual(Array.from({ length: size * 3 }, (_, i) => (i * 13) % 256));
    expect(frame.photometric).toBe("RGB");
  });

  test("sixteen bits", async () => {
    const { values } = await frameOf(await fixture("jpeg-lossless-16"));
    expect(values).toEqual(ramp.map((value) => (value * 16 + 7) % 65_536));
  });

  test("restart intervals begin their predictions anew", async () => {
    // 2 x 2 pixels of 2 bits: difference categories 0 and 1 as codes 0 and 10; a restart after each line.
    const stream = Uint8Array.from(
      [
        [0xff, 0xd8, 0xff, 0xc3, 0, 11, 2, 0, 2, 0, 2, 1, 1, 0x11, 0],
        [0xff, 0xc4, 0, 21, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        [0xff, 0xdd, 0, 4, 0, 2, 0xff, 0xda, 0, 8, 1, 1, 0, 1, 0, 0],
        // 2 + 1, then + 0 (101 0 1111); a restart; 2 + 0, then - 1 (0 100 1111).
        [0b10101111, 0xff, 0xd0, 0b01001111, 0xff, 0xd9],
      ].flat(),
    );
    expect([...(await decodeJpeg(stream, { ...twoByTwo, bitsAllocated: 8, bitsStored: 2 })).values]).toEqual([
      3, 3, 2, 1,
    ]);
  });
});

describe("12-bit DCT", () => {
  test("extended sequential coding comes within its rounding of what was coded", async () => {
    const frame = await frameOf(await fixture("jpeg-extended-12"));
    expect(frame.bitsStored).toBe(12);
    frame.values.forEach((value, i) => {
      // dcmcjpeg moves the smallest value to 0.
      const smooth = 2048 - 564 + 1500 * Math.sin((i % 17) / 5) * Math.cos(Math.floor(i / 17) / 4);
      expect(Math.abs(value - smooth)).toBeLessThanOrEqual(3);
    });
  });

  test("a scan without its tables is damage", async () => {
    const stream = Uint8Array.from(
      [
        [0xff, 0xd8, 0xff, 0xc1, 0, 11, 12, 0, 8, 0, 8, 1, 1, 0x11, 0],
        [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0x12, 0x34, 0xff, 0xd9],
      ].flat(),
    );
    const shape = { ...twoByTwo, rows: 8, columns: 8, bitsAllocated: 16, bitsStored: 12 };
    await expect(decodeJpeg(stream, shape)).rejects.toThrow(/damaged/);
  });
});

describe("damaged JPEG streams", () => {
  test.each(["jpeg-lossless-1", "jpeg-lossless-colour", "jpeg-extended-12"])(
    "%s, every ninth octet inverted in turn: each time pixels or a name",
    async (name) => {
      const octets = await fixture(name);
      const start = octets.findIndex(
        (octet, i) => octet === 0xff && octets[i + 1] === 0xd8 && octets[i + 2] === 0xff,
      );
      expect(start).toBeGreaterThan(0);
      for (let at = start; at < octets.length; at += 9) {
        const spoilt = octets.slice();
        spoilt[at] = spoilt[at]! ^ 0xff;
        expect([
          "no error",
          "pixel-data-damaged",
          "pixel-data-truncated",
          "transfer-syntax-not-supported",
        ]).toContain(await codeOf(frameOf(spoilt)));
      }
    },
  );
});
