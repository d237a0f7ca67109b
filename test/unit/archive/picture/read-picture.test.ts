import { deflateSync } from "node:zlib";
import { encode } from "fast-png";
import { describe, expect, test } from "vitest";
import { isPicture, readPicture } from "../../../../archive/picture/read-picture.ts";
import { AppError } from "../../../../core/errors.ts";
import { renderFrame } from "../../../../core/render-frame.ts";
import { encode as encodeStream } from "../../../fixtures/dicom/build-compressed.ts";

const grey = Uint8Array.from({ length: 15 }, (_, i) => i * 17);

async function codeOf(octets: Uint8Array): Promise<string> {
  try {
    await readPicture(octets);
    return "no error";
  } catch (thrown) {
    return thrown instanceof AppError ? thrown.code : String(thrown);
  }
}

describe("PNG", () => {
  test("an 8-bit grey picture is shown exactly as it is stored", async () => {
    const frame = await readPicture(encode({ width: 5, height: 3, channels: 1, depth: 8, data: grey }));
    expect(frame).toMatchObject({ rows: 3, columns: 5, photometric: "MONOCHROME2", bitsStored: 8 });
    expect(renderFrame(frame, { voi: null }).pixels).toEqual(grey);
  });

  test("16 bits stay 16 bits", async () => {
    const data = Uint16Array.of(0, 1, 40_000, 65_535);
    const frame = await readPicture(encode({ width: 2, height: 2, channels: 1, depth: 16, data }));
    expect([...frame.values]).toEqual([...data]);
  });

  test("colour in which every pixel is grey becomes grey, other colour stays", async () => {
    const rgb = Uint8Array.from({ length: 45 }, (_, i) => grey[Math.floor(i / 3)]!);
    const same = await readPicture(encode({ width: 5, height: 3, channels: 3, depth: 8, data: rgb }));
    expect([...same.values]).toEqual([...grey]);
    rgb[7] = rgb[7]! ^ 1;
    const colour = await readPicture(encode({ width: 5, height: 3, channels: 3, depth: 8, data: rgb }));
    expect(colour.photometric).toBe("RGB");
  });

  test("transparency is left out, and said so", async () => {
    const data = Uint8Array.of(10, 0, 20, 255);
    const frame = await readPicture(encode({ width: 2, height: 1, channels: 2, depth: 8, data }));
    expect([...frame.values]).toEqual([10, 20]);
    expect(frame.warnings.join()).toMatch(/Transparency/);
  });

  test.each([
    [1, [0xa0, 0x40], [255, 0, 255, 0, 255, 0]],
    [2, [0x1b, 0xe4], [0, 85, 170, 255, 170, 85]],
    [4, [0x0f, 0xf0], [0, 255, 136, 255, 0, 136]],
  ])("%i-bit grey is spread over all levels", async (depth, lines, expected) => {
    // Two lines of three pixels; 4-bit lines take two octets.
    const wide =
      depth === 4
        ? [
            [lines[0], 0x80],
            [lines[1], 0x80],
          ]
        : [[lines[0]], [lines[1]]];
    const raw = Uint8Array.from(wide.flatMap((line) => [0, ...(line as number[])]));
    const frame = await readPicture(png({ width: 3, height: 2, depth, raw }));
    expect([...frame.values]).toEqual(expected);
  });

  test("data that grows beyond the picture is refused before it is used", async () => {
    const bomb = png({ width: 2, height: 2, depth: 8, raw: new Uint8Array(50_000_000) });
    expect(await codeOf(bomb)).toBe("too-large");
  });

  test("a huge size is refused, damage is named", async () => {
    expect(await codeOf(png({ width: 60_000, height: 60_000, depth: 8, raw: grey }))).toBe("too-large");
    const whole = encode({ width: 5, height: 3, channels: 1, depth: 8, data: grey });
    expect(await codeOf(whole.subarray(0, whole.length - 20))).toBe("image-damaged");
    expect(await codeOf(png({ width: 5, height: 3, depth: 8, raw: grey.subarray(0, 4) }))).toBe(
      "image-damaged",
    );
  });
});

describe("JPEG", () => {
  test("a grey picture is read within the losses of its coding", async () => {
    const octets = await greyJpeg();
    expect(isPicture(octets)).toBe(true);
    const frame = await readPicture(octets);
    expect(frame).toMatchObject({ rows: 16, columns: 16, photometric: "MONOCHROME2" });
    for (const value of frame.values) expect(Math.abs(value - 77)).toBeLessThanOrEqual(1);
  });

  test("a JPEG that was cut is damage, or the part that is there", async () => {
    const octets = await greyJpeg();
    expect(await codeOf(octets.subarray(0, 30))).toBe("image-damaged");
  });

  test("neither PNG nor JPEG", async () => {
    expect(await codeOf(Uint8Array.of(1, 2, 3, 4))).toBe("image-damaged");
  });
});

function png(picture: { width: number; height: number; depth: number; raw: Uint8Array }): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(picture.width, 0);
  header.writeUInt32BE(picture.height, 4);
  header[8] = picture.depth;
  const chunks = [
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(picture.raw)),
    chunk("IEND", Buffer.alloc(0)),
  ];
  return new Uint8Array(Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), ...chunks]));
}

/** Checksums are not looked at. */
function chunk(type: string, data: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  return Buffer.concat([length, Buffer.from(type, "latin1"), data, Buffer.alloc(4)]);
}

/** Grey written as colour, as pictures of radiographs often are. */
function greyJpeg(): Promise<Uint8Array> {
  const octets = new Uint8Array(16 * 16 * 3).fill(77);
  return encodeStream("encodeJpeg", { width: 16, height: 16, bits: 8, components: 3, octets }, true);
}
