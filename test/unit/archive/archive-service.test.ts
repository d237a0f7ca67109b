import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { decode } from "fast-png";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ArchiveApi } from "../../../archive/api.ts";
import { createArchiveService } from "../../../archive/archive-service.ts";
import { shrink, thumbnailSize } from "../../../archive/thumbnail.ts";
import type { ImportEvent } from "../../../core/archive-events.ts";
import type { StoredValues } from "../../../core/frame.ts";
import type { AnswerRecord } from "../../../core/question.ts";
import { hasSharedData, sharedData, sharedDataMissing } from "../../shared-data.ts";
import { startArchive } from "./archive-child.ts";
import { makeDicom } from "./import/make-dicom.ts";
import { dataKey, filesBelow, temporaryFolder } from "./store/test-archive.ts";

let folder: string;
let remove: () => Promise<void>;
let archive: ArchiveApi;
const signal = new AbortController().signal;
const nothing = {};

beforeEach(async () => {
  ({ folder, remove } = await temporaryFolder());
  archive = createArchiveService();
});
afterEach(async () => {
  await archive.close(nothing, signal);
  await remove();
});

async function opened(): Promise<ArchiveApi> {
  await archive.open({ dataFolder: path.join(folder, "data"), dataKey }, signal);
  return archive;
}

async function imported(...paths: string[]): Promise<ArchiveApi> {
  await opened();
  for await (const _ of archive.importPaths({ paths }, signal));
  return archive;
}

async function lastOf(events: AsyncGenerator<ImportEvent, void, void>): Promise<ImportEvent | null> {
  let last: ImportEvent | null = null;
  for await (const event of events) last = event;
  return last;
}

async function writeSeries(count: number): Promise<string> {
  const input = path.join(folder, "in");
  await mkdir(input, { recursive: true });
  for (let i = 1; i <= count; i += 1) {
    const octets = makeDicom({
      study: "1.1",
      series: "1.1.1",
      instance: `1.1.1.${i}`,
      instanceNumber: i,
      value: i,
      side: 400,
    });
    await writeFile(path.join(input, `${count - i}.dcm`), octets);
  }
  return input;
}

describe("the archive process", () => {
  test("does nothing before it is opened but read files", async () => {
    await expect(archive.listStudies({ search: "" }, signal)).rejects.toMatchObject({
      code: "archive-locked",
    });
    const input = await writeSeries(2);
    expect((await archive.openFiles({ path: input }, signal)).files).toHaveLength(2);
  });

  test("answers with studies, frames, headers, thumbnails and saved answers, also after a restart", async () => {
    await imported(await writeSeries(5));
    const studies = await archive.listStudies({ search: "test patient" }, signal);
    expect(studies).toMatchObject([{ studyInstanceUid: "1.1", seriesCount: 1, instanceCount: 5 }]);
    const [series] = await archive.listSeries(studies[0]!, signal);
    const third = series!.instances[2]!;
    expect((await archive.readFrame({ ...third, frame: 1 }, signal)).values[0]).toBe(3);
    const summary = await archive.summariseFrame({ ...third, frame: 1 }, signal);
    expect(summary).toMatchObject({ patientName: "Test^Patient", instanceNumber: 3, frameCount: 1 });
    const header = await archive.readHeader(third, signal);
    expect(header.find(({ tag }) => tag === "(0010,0020)")).toMatchObject({
      keyword: "PatientID",
      value: "ID-1",
    });
    const picture = decode(await archive.thumbnail(series!, signal));
    expect(picture).toMatchObject({ width: 160, height: 160, channels: 1, depth: 8 });
    const answer = {
      id: "answer-1",
      askedAt: "2026-01-01T00:00:00Z",
      subject: summary,
      answer: { views: [] },
    } as unknown as AnswerRecord;
    await archive.saveAnswer(answer, signal);

    await archive.close(nothing, signal);
    await opened();
    expect(await archive.health(nothing, signal)).toMatchObject({ studies: 1, instances: 5, repairs: [] });
    expect(await archive.listAnswers(studies[0]!, signal)).toEqual([answer]);
    expect(await archive.locate({ uid: "1.1.1.3" }, signal)).toMatchObject({
      type: "instance",
      sopInstanceUid: "1.1.1.3",
      series: { seriesInstanceUid: "1.1.1" },
    });
    // Five images, the thumbnail that was kept, and the answer.
    expect(await filesBelow(path.join(folder, "data", "objects"))).toHaveLength(7);
    expect(decode(await archive.thumbnail(series!, signal)).data).toEqual(picture.data);
    // A damaged one is drawn again, and kept anew.
    for (const file of await filesBelow(path.join(folder, "data", "objects"))) {
      if ((await stat(file)).size < 20_000) await writeFile(file, "");
    }
    expect(decode(await archive.thumbnail(series!, signal)).data).toEqual(picture.data);
    expect(decode(await archive.thumbnail(series!, signal)).data).toEqual(picture.data);
    await archive.deleteAnswer({ id: "answer-1" }, signal);
    await expect(archive.readAnswer({ id: "answer-1" }, signal)).rejects.toMatchObject({
      code: "answer-not-found",
    });
  });

  test("names what is not there", async () => {
    await imported(await writeSeries(1));
    const frame = { sopInstanceUid: "1.1.1.1" as never, frame: 2 };
    await expect(archive.readFrame(frame, signal)).rejects.toMatchObject({ code: "frame-not-found" });
    await expect(archive.summariseFrame(frame, signal)).rejects.toMatchObject({ code: "frame-not-found" });
    await expect(archive.locate({ uid: "9.9" }, signal)).rejects.toMatchObject({ code: "not-found" });
    await archive.deleteStudy({ studyInstanceUid: "1.1" as never }, signal);
    await expect(archive.readFrame({ ...frame, frame: 1 }, signal)).rejects.toMatchObject({
      code: "not-found",
    });
  });

  test("remembers an import that was cut short and goes on with it, but not one that the user stopped", async () => {
    const input = await writeSeries(3);
    await opened();
    const cutShort = archive.importPaths({ paths: [input] }, signal);
    await cutShort.next();
    // As a crash: nobody ends it.
    await archive.close(nothing, signal);
    await opened();
    const [unfinished] = await archive.unfinishedImports(nothing, signal);
    expect(unfinished).toMatchObject({ paths: [input] });
    // The medium is not there at the moment.
    await rename(input, `${input}-away`);
    const resume = () => archive.resumeImport(unfinished!, signal);
    await expect(lastOf(resume())).rejects.toMatchObject({ code: "file-not-found" });
    expect(await archive.unfinishedImports(nothing, signal)).toEqual([unfinished]);
    await rename(`${input}-away`, input);
    expect(await lastOf(resume())).toMatchObject({ type: "done", imported: 3 });
    expect(await archive.unfinishedImports(nothing, signal)).toEqual([]);
    await expect(lastOf(resume())).rejects.toMatchObject({ code: "not-found" });

    await expect(imported(path.join(folder, "mistyped"))).rejects.toMatchObject({ code: "file-not-found" });
    expect(await archive.unfinishedImports(nothing, signal)).toEqual([]);
    const controller = new AbortController();
    const stopped = async () => {
      for await (const _ of archive.importPaths({ paths: [input] }, controller.signal)) controller.abort();
    };
    await expect(stopped()).rejects.toMatchObject({ code: "cancelled" });
    expect(await archive.unfinishedImports(nothing, signal)).toEqual([]);
  });

  test("imports an upload and forgets it", async () => {
    await opened();
    const chunk = makeDicom({ study: "1.1", series: "1.1.1", instance: "1.1.1.1" });
    await archive.uploadChunk({ upload: "u", name: "a/b.dcm", offset: 0, chunk, last: true }, signal);
    const events: ImportEvent[] = [];
    for await (const event of archive.importUpload({ upload: "u" }, signal)) events.push(event);
    expect(events.at(-1)).toMatchObject({ type: "done", imported: 1 });
    const again = archive.importUpload({ upload: "u" }, signal);
    await expect(again.next().then(() => again.next())).rejects.toMatchObject({ code: "not-found" });
  });
});

describe("a built archive process", () => {
  test("is the only owner, and gives the archive free when it is killed", async () => {
    const child = startArchive();
    const dataFolder = path.join(folder, "data");
    await child.api.open({ dataFolder, dataKey }, signal);
    await expect(opened()).rejects.toMatchObject({ code: "archive-in-use" });
    await child.kill();
    await opened();
    expect(await archive.health(nothing, signal)).toMatchObject({ studies: 0 });
  });
});

describe("an archive process whose app ended", () => {
  test("ends too, and leaves an archive that needs no repair", async () => {
    const dataFolder = path.join(folder, "data");
    const input = await writeSeries(40);
    const child = startArchive();
    await child.api.open({ dataFolder, dataKey }, signal);
    for await (const _ of child.api.importPaths({ paths: [input] }, signal));
    // libsql folds its log in when the process ends in order, unseen by the code that records pages.
    await child.leave();
    await opened();
    expect(await archive.health(nothing, signal)).toMatchObject({ instances: 40, repairs: [] });
  });
});

describe("files that are not imported", () => {
  test("of one series come in display order, with their digests", async () => {
    const input = await writeSeries(3);
    const { files, summary } = await archive.openFiles({ path: input }, signal);
    expect(files.map((file) => path.basename(file.path))).toEqual(["2.dcm", "1.dcm", "0.dcm"]);
    expect(files[0]).toMatchObject({ numberOfFrames: 1, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(summary).toMatchObject({ instanceNumber: 1 });
    const frame = await archive.readFileFrame({ path: input, index: 2, frame: 1 }, signal);
    expect(frame.values[0]).toBe(3);
    await expect(archive.readFileFrame({ path: input, index: 3, frame: 1 }, signal)).rejects.toMatchObject({
      code: "frame-not-found",
    });
  });

  test("of two series are ambiguous; a folder without images and a missing path are named", async () => {
    const input = await writeSeries(1);
    await writeFile(
      path.join(input, "other"),
      makeDicom({ study: "1.1", series: "1.1.2", instance: "1.1.2.1" }),
    );
    await expect(archive.openFiles({ path: input }, signal)).rejects.toMatchObject({
      code: "ambiguous-series",
    });
    await rm(input, { recursive: true });
    await mkdir(input);
    await writeFile(path.join(input, "text"), "text");
    await expect(archive.openFiles({ path: input }, signal)).rejects.toMatchObject({ code: "not-dicom" });
    await expect(archive.openFiles({ path: path.join(folder, "no") }, signal)).rejects.toMatchObject({
      code: "file-not-found",
    });
  });
});

describe("a large multi-frame file", () => {
  test.skipIf(!hasSharedData)(`is read frame by frame (${sharedDataMissing} where absent)`, async () => {
    const file = sharedData("dicom", "files", "examples_ybr_color.dcm");
    await imported(file);
    const [study] = await archive.listStudies({ search: "" }, signal);
    const [series] = await archive.listSeries(study!, signal);
    const [instance] = series!.instances;
    expect(instance!.numberOfFrames).toBe(30);
    for (const frame of [30, 1, 17]) {
      const stored = await archive.readFrame({ ...instance!, frame }, signal);
      const direct = await archive.readFileFrame({ path: file, index: 0, frame }, signal);
      expect(octetsOf(stored.values).equals(octetsOf(direct.values))).toBe(true);
    }
  });
});

function octetsOf(values: StoredValues): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

describe("a thumbnail", () => {
  test("keeps the shape of the picture, not that of its pixels", () => {
    expect(thumbnailSize({ rows: 2000, columns: 1000, aspect: 1 })).toEqual({ width: 80, height: 160 });
    expect(thumbnailSize({ rows: 200, columns: 400, aspect: 2 })).toEqual({ width: 160, height: 160 });
    expect(thumbnailSize({ rows: 3, columns: 5, aspect: 1 })).toEqual({ width: 5, height: 3 });
    expect(thumbnailSize({ rows: 1, columns: 5000, aspect: 1 })).toEqual({ width: 160, height: 1 });
  });

  test("is made of means, each pixel counted once", () => {
    const pixels = Uint8Array.from([0, 10, 20, 30, 40, 50, 60, 70]);
    const picture = shrink({ width: 4, height: 2, channels: 1, pixels }, { width: 2, height: 1 });
    expect([...picture.pixels]).toEqual([25, 45]);
    const colour = shrink(
      { width: 2, height: 1, channels: 3, pixels: pixels.slice(0, 6) },
      { width: 1, height: 1 },
    );
    expect([...colour.pixels]).toEqual([15, 25, 35]);
  });
});
