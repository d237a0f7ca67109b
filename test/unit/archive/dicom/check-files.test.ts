import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import * as v from "valibot";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkFiles } from "../../../../archive/dicom/check-files.ts";
import { dicomCheckSchema, type DicomCheck } from "../../../../core/archive-events.ts";
import { element, file, imageElements } from "../../../fixtures/dicom/build-dicom.ts";

const explicitLittle = "1.2.840.10008.1.2.1";
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "meditron-check-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function check(...paths: string[]): Promise<DicomCheck[]> {
  const lines: DicomCheck[] = [];
  for await (const line of checkFiles({ paths }, new AbortController().signal)) {
    lines.push(v.parse(dicomCheckSchema, line));
  }
  return lines;
}

const image = (pixels: Uint8Array, frames: number) =>
  file(imageElements({ rows: 1, columns: 2, frames }, [element(0x7fe00010, "OB", pixels)]), explicitLittle);

describe("dicom check", () => {
  test("writes a line a file, folders included, in the order of names", async () => {
    await mkdir(path.join(folder, "b"));
    await writeFile(path.join(folder, "b", "2.dcm"), image(Uint8Array.of(1, 2, 3, 4), 2));
    await writeFile(path.join(folder, "a.txt"), "no image");
    await writeFile(path.join(folder, "c.dcm"), image(Uint8Array.of(1, 2), 3));
    await writeFile(path.join(folder, "d.dcm"), file(imageElements({ rows: 1, columns: 1 }), explicitLittle));
    const lines = await check(folder, path.join(folder, "missing.dcm"));
    expect(
      lines.map((line) => [path.relative(folder, line.file), line.status, line.error?.code ?? null]),
    ).toEqual([
      ["a.txt", "error", "not-dicom"],
      [path.join("b", "2.dcm"), "ok", null],
      ["c.dcm", "partial", "pixel-data-truncated"],
      ["d.dcm", "no-pixels", null],
      ["missing.dcm", "error", "file-not-found"],
    ]);
  });

  test("hashes stored values frame by frame, as wide as Bits Allocated", async () => {
    await writeFile(path.join(folder, "x.dcm"), image(Uint8Array.of(1, 2, 3, 4), 2));
    const [line] = await check(path.join(folder, "x.dcm"));
    const sha = (...octets: number[]) => createHash("sha256").update(Uint8Array.from(octets)).digest("hex");
    expect(line?.sha256).toEqual([sha(1, 2), sha(3, 4)]);
    expect(line).toMatchObject({
      frames: 2,
      framesDecoded: 2,
      rows: 1,
      columns: 2,
      bitsStored: 8,
      signed: false,
    });
  });

  test("a million promised frames that are not there end soon", async () => {
    await writeFile(path.join(folder, "x.dcm"), image(Uint8Array.of(1, 2), 1_000_000));
    const [line] = await check(path.join(folder, "x.dcm"));
    expect(line).toMatchObject({ status: "partial", frames: 1_000_000, framesDecoded: 1 });
  });

  test("stops when it is cancelled", async () => {
    await writeFile(path.join(folder, "x.dcm"), image(Uint8Array.of(1, 2), 1));
    const lines = checkFiles({ paths: [folder] }, AbortSignal.abort());
    await expect(lines.next()).rejects.toMatchObject({ code: "cancelled" });
  });
});
