import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import type { DicomCheck } from "../../../../core/archive-events.ts";
import { seededRandom } from "../../../../archive/sample/random.ts";
import { isErrorCode } from "../../../../core/errors.ts";
import { compressed, encode, lossless, syntax } from "../../../fixtures/dicom/build-compressed.ts";
import { element, file, imageElements, uint16s } from "../../../fixtures/dicom/build-dicom.ts";
import { mutated } from "../../../fixtures/dicom/mutate.ts";
import { startArchive } from "../archive-child.ts";

const cases = 300;
const size = { width: 24, height: 18 };
const values = Uint16Array.from({ length: 24 * 18 }, (_, i) => (i * 31) % 4096);
const shape = { rows: size.height, columns: size.width, allocated: 16, stored: 12 };

/** One small file of each kind: encodings, sequences, tables, fragments and codecs. */
async function seeds(): Promise<Uint8Array[]> {
  const octets = new Uint8Array(values.buffer);
  const pixels = element(0x7fe00010, "OW", octets);
  const groups = [
    element(0x52009230, "SQ", [
      [element(0x00289145, "SQ", [[element(0x00281052, "DS", "-1024"), element(0x00281053, "DS", "1")]])],
    ]),
    element(0x00283010, "SQ", [
      [element(0x00283002, "US", [3, 0, 8]), element(0x00283006, "OW", uint16s([0, 9, 255]))],
    ]),
  ];
  const palette = [0, 1, 2].flatMap((i) => [
    element(0x00281101 + i, "US", [4, 0, 16]),
    element(0x00281201 + i, "OW", uint16s([0, 1000, 2000, 3000])),
  ]);
  const picture = { ...size, bits: 12, components: 1, octets };
  const streams = await Promise.all(Object.values(lossless).map((codec) => encode(codec, picture)));
  const [jpegLs, jpeg2000, htj2k, jpegXl] = streams as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  return [
    file(imageElements(shape, [pixels, ...groups]), "1.2.840.10008.1.2.1"),
    file(imageElements(shape, [pixels, ...groups]), "1.2.840.10008.1.2", { explicit: false }),
    file(imageElements(shape, [pixels]), "1.2.840.10008.1.2.2", { littleEndian: false }),
    file(
      imageElements({ ...shape, allocated: 8, stored: 8, photometric: "PALETTE COLOR" }, [
        element(0x7fe00010, "OB", octets.subarray(0, 24 * 18)),
        ...palette,
      ]),
      "1.2.840.10008.1.2.1",
    ),
    compressed({ shape, syntax: syntax.jpegLs, fragments: [jpegLs] }),
    compressed({ shape: { ...shape, frames: 2 }, syntax: syntax.jpeg2000, fragments: [jpeg2000, jpeg2000] }),
    compressed({ shape, syntax: syntax.htj2k, fragments: [htj2k] }),
    compressed({ shape, syntax: syntax.jpegXl, fragments: [jpegXl] }),
    compressed({ shape, syntax: syntax.rle, fragments: [await encode("encodeRle", picture)] }),
  ];
}

describe("mutated files", () => {
  test(`${cases} damaged files end as ok or with a named error, in a process with bounded memory`, async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "mutated-"));
    const archive = startArchive();
    try {
      const random = seededRandom(20261122);
      const files = await seeds();
      for (let i = 0; i < cases; i += 1) {
        const octets = mutated(files[i % files.length]!, random);
        await writeFile(path.join(folder, `${i}.dcm`), octets);
      }
      const outcomes = new Map<string, number>();
      const signal = new AbortController().signal;
      for await (const check of withinLimit(archive.api.checkFiles({ paths: [folder] }, signal))) {
        const outcome = check.error?.code ?? check.status;
        expect(outcome === check.status || isErrorCode(outcome)).toBe(true);
        expect(outcome, JSON.stringify(check)).not.toBe("internal");
        expect(check.sha256).toHaveLength(check.framesDecoded);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
      expect([...outcomes.values()].reduce((sum, count) => sum + count, 0)).toBe(cases);
      // Both kinds occur, so that the mutations are neither harmless nor all fatal.
      expect(outcomes.get("ok")).toBeGreaterThan(20);
      expect(cases - (outcomes.get("ok") ?? 0)).toBeGreaterThan(60);
      expect(await peakBytes(archive.pid)).toBeLessThan(1.5 * 1024 ** 3);
    } finally {
      await archive.kill();
      await rm(folder, { recursive: true });
    }
  }, 900_000);
});

/** Each file has two minutes of wall time, on a machine that may have other work. */
async function* withinLimit(checks: AsyncGenerator<DicomCheck, void, void>): AsyncGenerator<DicomCheck> {
  for (;;) {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("A file hung.")), 120_000);
    });
    const next = await Promise.race([checks.next(), limit]).finally(() => clearTimeout(timer));
    if (next.done) return;
    yield next.value;
  }
}

/** The most memory the process has held; 0 where the system does not tell. */
async function peakBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}
