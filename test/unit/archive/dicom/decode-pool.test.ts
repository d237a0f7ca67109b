import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createDecodePool } from "../../../../archive/dicom/codecs/decode-pool.ts";
import type { DecodeJob } from "../../../../archive/dicom/codecs/decode-job.ts";
import { encode } from "../../../fixtures/dicom/build-compressed.ts";
import { codeOf } from "./read.ts";

const side = 512;
const values = Uint16Array.from({ length: side * side }, (_, i) => (Math.imul(i, 2654435761) >>> 21) % 4096);
const octets = new Uint8Array(values.buffer);
const patient = { workers: 1, frameMs: 120_000 };

/** Half a second or more for OpenJPEG: noise, 12 bits. */
let slow: DecodeJob;
let quick: DecodeJob;
const noise: DecodeJob = {
  codec: "jpeg-ls",
  octets: Uint8Array.from({ length: 600 }, (_, i) => (i * 97) % 251),
  rows: 8,
  columns: 8,
  samples: 1,
  precision: 8,
};

beforeAll(async () => {
  const picture = { width: side, height: side, bits: 12, components: 1, octets };
  const stream = await encode("encodeJpeg2000", picture);
  slow = { codec: "jpeg-2000", octets: stream, rows: side, columns: side, samples: 1, precision: 12 };
  const small = { width: 4, height: 4, bits: 8, components: 1, octets: new Uint8Array(16).fill(9) };
  const rle = await encode("encodeRle", small);
  quick = { codec: "rle", octets: rle, rows: 4, columns: 4, samples: 1, precision: 8 };
}, 120_000);

describe("decoding in threads", () => {
  const pool = createDecodePool(patient);
  afterAll(() => pool.close());

  test("the thread that asks goes on while a frame is decoded", async () => {
    let turns = 0;
    const ticking = setInterval(() => (turns += 1), 1);
    const decoded = await pool.decode({ ...slow, octets: slow.octets.slice() });
    clearInterval(ticking);
    expect(decoded).toEqual(octets);
    expect(turns).toBeGreaterThan(5);
  }, 120_000);

  test("more frames than threads: all are decoded", async () => {
    const decoded = await Promise.all(
      Array.from({ length: 6 }, () => pool.decode({ ...quick, octets: quick.octets.slice() })),
    );
    for (const one of decoded) expect([...one]).toEqual(Array.from({ length: 16 }, () => 9));
  }, 120_000);

  test("a codestream that fails is named, and the next frame gets a fresh decoder", async () => {
    expect(await codeOf(pool.decode({ ...noise, octets: noise.octets.slice() }))).toBe("pixel-data-damaged");
    expect(await pool.decode({ ...quick, octets: quick.octets.slice() })).toHaveLength(16);
  }, 120_000);

  test("cancelling ends a frame at work and one that waits; others go on", async () => {
    const atWork = new AbortController();
    const waiting = new AbortController();
    const first = codeOf(pool.decode({ ...slow, octets: slow.octets.slice() }, atWork.signal));
    const second = codeOf(pool.decode({ ...quick, octets: quick.octets.slice() }, waiting.signal));
    const third = pool.decode({ ...quick, octets: quick.octets.slice() });
    waiting.abort();
    expect(await second).toBe("cancelled");
    atWork.abort();
    expect(await first).toBe("cancelled");
    expect(await third).toHaveLength(16);
  }, 120_000);
});

test("a frame that takes too long is stopped with a name, and the next one is decoded", async () => {
  // The time for a frame of this size: less than any machine needs, then enough.
  const hasty = createDecodePool({ workers: 1, frameMs: 1 });
  expect(await codeOf(hasty.decode({ ...slow, octets: slow.octets.slice() }))).toBe("too-large");
  await hasty.close();
  const pool = createDecodePool(patient);
  expect(await pool.decode({ ...quick, octets: quick.octets.slice() })).toHaveLength(16);
  await pool.close();
}, 120_000);

test("a pool that is closed rejects what it has not decoded", async () => {
  const pool = createDecodePool(patient);
  const open = codeOf(pool.decode({ ...slow, octets: slow.octets.slice() }));
  await pool.close();
  expect(await open).toBe("cancelled");
}, 120_000);
