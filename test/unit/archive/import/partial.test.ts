import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createArchiveService } from "../../../../archive/archive-service.ts";
import type { ImportEvent } from "../../../../core/archive-events.ts";
import { element, encapsulated, file, imageElements, joined } from "../../../fixtures/dicom/build-dicom.ts";
import { dataKey, temporaryFolder } from "../store/test-archive.ts";

const signal = new AbortController().signal;
const explicitLittle = "1.2.840.10008.1.2.1";
let folder: string;
let remove: () => Promise<void>;
const archive = createArchiveService();

beforeEach(async () => {
  ({ folder, remove } = await temporaryFolder());
  await archive.open({ dataFolder: path.join(folder, "data"), dataKey }, signal);
});
afterEach(async () => {
  await archive.close({}, signal);
  await remove();
});

/** Three frames of 4 x 4. */
function native(frames = 3): Uint8Array {
  const pixels = element(0x7fe00010, "OB", new Uint8Array(16 * frames).fill(7));
  return file(imageElements({ rows: 4, columns: 4, frames }, [pixels]), explicitLittle);
}

/** A file whose pixels are fragments, in this transfer syntax. */
function compressed(syntax: string, fragments: readonly Uint8Array[], frames: number): Uint8Array {
  const shape = { rows: 4, columns: 4, frames };
  return joined([file(imageElements(shape), syntax), encapsulated(fragments)]);
}

async function notesOf(name: string, octets: Uint8Array) {
  await mkdir(path.join(folder, "in"), { recursive: true });
  const input = path.join(folder, "in", name);
  await writeFile(input, octets);
  const events: ImportEvent[] = [];
  for await (const event of archive.importPaths({ paths: [input] }, signal)) events.push(event);
  expect(events.at(-1)).toMatchObject({ type: "done", imported: 1, failed: 0 });
  return events.flatMap((event) =>
    event.type === "partial" ? [[event.name, event.error.code, event.error.message]] : [],
  );
}

describe("a file that cannot be shown as a whole is taken, and named", () => {
  test("a whole one is not", async () => {
    expect(await notesOf("whole.dcm", native())).toEqual([]);
  });

  test("where it ends between its images, with how many are whole", async () => {
    expect(await notesOf("cut.dcm", native().subarray(0, native().length - 20))).toEqual([
      ["cut.dcm", "pixel-data-truncated", "The file ends too early: 1 of 3 images are whole."],
    ]);
  });

  test("where its only image is cut", async () => {
    expect(await notesOf("cut.dcm", native(1).subarray(0, native(1).length - 1))).toEqual([
      ["cut.dcm", "pixel-data-truncated", "The file ends before its image is whole."],
    ]);
  });

  test("where a compressed image is cut inside its last fragment", async () => {
    const rle = new Uint8Array(80).fill(1);
    const whole = compressed("1.2.840.10008.1.2.5", [rle, rle], 2);
    expect(await notesOf("whole.dcm", whole)).toEqual([]);
    await archive.deleteStudy({ studyInstanceUid: "1.2.3" as never }, signal);
    expect(await notesOf("cut.dcm", whole.subarray(0, whole.length - 40))).toEqual([
      ["cut.dcm", "pixel-data-truncated", "The file ends too early: 1 of 2 images are whole."],
    ]);
  });

  test("where its coding is one that is not decoded", async () => {
    const video = compressed("1.2.840.10008.1.2.4.102", [new Uint8Array(64)], 30);
    expect(await notesOf("film.dcm", video)).toEqual([
      ["film.dcm", "transfer-syntax-not-supported", expect.stringContaining("not decoded by this app")],
    ]);
  });

  test("where the header makes no image of its pixels", async () => {
    const noRows = file(
      imageElements({ rows: 4, columns: 4 }, [
        element(0x00280010, "US", 0),
        element(0x7fe00010, "OB", new Uint8Array(16)),
      ]),
      explicitLittle,
    );
    expect(await notesOf("rows.dcm", noRows)).toMatchObject([
      ["rows.dcm", "dicom-damaged", expect.anything()],
    ]);
  });

  test("where it ends inside its header", async () => {
    const whole = native();
    // In the middle of the last element before the pixels.
    const cut = whole.subarray(0, whole.length - 16 * 3 - 12 - 1);
    expect(await notesOf("cut.dcm", cut)).toMatchObject([["cut.dcm", "dicom-damaged", expect.anything()]]);
  });
});

describe("an import that is cut short", () => {
  test("has written how far it came", async () => {
    const input = path.join(folder, "in");
    await mkdir(input);
    for (let i = 0; i < 70; i += 1) {
      const more = [element(0x00080018, "UI", `1.2.3.4.${i}`), element(0x7fe00010, "OB", new Uint8Array(16))];
      await writeFile(
        path.join(input, `${i}.dcm`),
        file(imageElements({ rows: 4, columns: 4 }, more), explicitLittle),
      );
    }
    const run = archive.importPaths({ paths: [input] }, signal);
    // A batch is written after 32 files; then nobody asks for more, as in a crash.
    while ((await archive.health({}, signal)).instances === 0) await run.next();
    await archive.close({}, signal);
    await archive.open({ dataFolder: path.join(folder, "data"), dataKey }, signal);
    const [unfinished] = await archive.unfinishedImports({}, signal);
    expect(unfinished).toMatchObject({ paths: [input] });
    const { done, found } = unfinished!.progress!;
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(70);
    expect(found).toBeGreaterThanOrEqual(done);
  });
});
