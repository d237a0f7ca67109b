import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bytesSource } from "../../../../archive/byte-source.ts";
import { parseHeader, type DicomHeader } from "../../../../archive/dicom/parse-header.ts";
import { readFrame } from "../../../../archive/dicom/read-frame.ts";
import { instanceHeader } from "../../../../archive/dicom/read-instance.ts";
import { tags } from "../../../../archive/dicom/tags.ts";
import { drawBreastUltrasound } from "../../../../archive/sample/breast-ultrasound.ts";
import { chestNodule } from "../../../../archive/sample/chest-radiograph.ts";
import { breastObject } from "../../../../archive/sample/phantom-objects.ts";
import { ctLesion, ctPixel, ctSize, sliceHeight } from "../../../../archive/sample/thorax-ct.ts";
import { writeSample } from "../../../../archive/sample/write-sample.ts";
import { modalityMapper } from "../../../../core/modality.ts";
import { sliceOrder } from "../../../../core/slice-order.ts";

let folder = "";
let files: string[] = [];
const headers: DicomHeader[] = [];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "meditron-sample-"));
  ({ files } = await writeSample({ folder, seed: 7 }, new AbortController().signal));
  for (const file of files)
    headers.push(await parseHeader(bytesSource(new Uint8Array(await readFile(file)))));
}, 180_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const byModality = (modality: string) =>
  headers.filter((header) => header.dataSet.string(tags.modality) === modality);

describe("the phantom studies", () => {
  test("are two radiographs, an ultrasound picture and a CT of 64 slices, in four studies", () => {
    expect(byModality("CR")).toHaveLength(2);
    expect(byModality("US")).toHaveLength(1);
    expect(byModality("CT")).toHaveLength(64);
    expect(new Set(headers.map((header) => instanceHeader(header).studyInstanceUid)).size).toBe(4);
    expect(new Set(headers.map((header) => instanceHeader(header).sopInstanceUid)).size).toBe(67);
  });

  test("say everywhere that they are phantoms", () => {
    for (const header of headers) {
      const index = instanceHeader(header);
      expect(index.phantom).toBe(true);
      expect(index.patientName).toMatch(/^PHANTOM\^/);
      expect(index.studyDescription).toMatch(/^Phantom/);
      expect(header.dataSet.string(tags.imageComments)).toMatch(/^PHANTOM\./);
    }
  });

  test("carry the facts that packs decide by", () => {
    const facts = headers.slice(0, 4).map((header) => instanceHeader(header).facts);
    expect(facts).toEqual([
      { modality: "CR", bodyPart: "CHEST", view: "PA" },
      { modality: "CR", bodyPart: "HAND", view: "PA" },
      { modality: "US", bodyPart: "BREAST", view: null },
      { modality: "CT", bodyPart: "CHEST", view: null },
    ]);
  });

  test("have the required attributes of their modules", () => {
    // Type 1 of Patient, Study, Series, Image Pixel and SOP Common (PS3.3 C.7, C.12).
    const names = ["sopClass", "sopInstance", "studyInstance", "seriesInstance", "modality"] as const;
    const pixel = [
      "samplesPerPixel",
      "photometric",
      "rows",
      "columns",
      "bitsAllocated",
      "bitsStored",
    ] as const;
    for (const header of headers) {
      for (const name of [...names, ...pixel, "highBit", "pixelRepresentation"] as const) {
        expect(header.dataSet.octets(tags[name])?.length, name).toBeGreaterThan(0);
      }
      expect(header.warnings).toEqual([]);
      for (const tag of [tags.sopInstance, tags.studyInstance, tags.seriesInstance]) {
        expect(header.dataSet.string(tag)).toMatch(/^2\.25\.[1-9][0-9]{0,58}$/);
      }
    }
  });

  test("the CT is ordered by position, 3 mm apart, and its lesion is soft tissue inside lung", async () => {
    const ct = byModality("CT");
    const slices = ct.map((header) => {
      const { position, orientation, instanceNumber, sopInstanceUid } = instanceHeader(header);
      return { placement: { position, orientation }, instanceNumber, sopInstanceUid };
    });
    expect(sliceOrder(slices)).toEqual(slices.map((_, i) => i));
    const slice = ct.findIndex((_, i) => Math.abs(sliceHeight(i) - ctLesion.z) <= 1.5);
    const frame = await readFrame(ct[slice]!, 1);
    const toHu = modalityMapper(frame);
    const at = (x: number, y: number) => {
      const column = Math.round(x / ctPixel + (ctSize - 1) / 2);
      const row = Math.round(y / ctPixel + (ctSize - 1) / 2);
      return toHu(frame.values[row * ctSize + column]!);
    };
    expect(at(ctLesion.x, ctLesion.y)).toBeGreaterThan(-100);
    expect(at(ctLesion.x, ctLesion.y)).toBeLessThan(150);
    expect(at(ctLesion.x - 22, ctLesion.y + 22)).toBeLessThan(-600);
  });

  test("the chest nodule is brighter than the lung around it", async () => {
    const frame = await readFrame(headers[0]!, 1);
    const mean = (x: number, y: number) => {
      let sum = 0;
      for (let row = -3; row <= 3; row += 1) {
        for (let column = -3; column <= 3; column += 1) {
          sum +=
            frame.values[
              (Math.round(y * frame.columns) + row) * frame.columns + Math.round(x * frame.columns) + column
            ]!;
        }
      }
      return sum / 49;
    };
    const inside = mean(chestNodule.x, chestNodule.y);
    for (const dx of [-0.045, 0.045]) {
      expect(inside).toBeGreaterThan(mean(chestNodule.x + dx, chestNodule.y + 0.03) + 100);
    }
  });

  test("the same seed gives the same pixels and identifiers, another seed others", async () => {
    const frame = await readFrame(headers[2]!, 1);
    expect(drawBreastUltrasound(7).values).toEqual(frame.values);
    expect(drawBreastUltrasound(8).values).not.toEqual(frame.values);
    const again = breastObject(drawBreastUltrasound(7), 7);
    expect(again.attributes["SOPInstanceUID"]).toBe(instanceHeader(headers[2]!).sopInstanceUid);
  });

  test("stops when it is cancelled", async () => {
    await expect(writeSample({ folder, seed: 7 }, AbortSignal.abort())).rejects.toMatchObject({
      code: "cancelled",
    });
  });
});
