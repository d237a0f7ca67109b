import { describe, expect, test } from "vitest";
import type { Instance, InstanceUid, Series, SeriesUid, StudyUid } from "../../../core/study.ts";
import type { Variant } from "../../../core/variant.ts";
import { conflictsOf, countBySeries, differenceText } from "../../../renderer/studies/conflicts.ts";

function instance(uid: string, frames = 1): Instance {
  return {
    sopInstanceUid: uid as InstanceUid,
    sopClassUid: "",
    instanceNumber: null,
    numberOfFrames: frames,
    rows: 1,
    columns: 1,
    hasPixels: frames > 0,
  };
}

function series(uid: string, instances: readonly Instance[], seriesNumber: number | null = 3): Series {
  return {
    seriesInstanceUid: uid as SeriesUid,
    studyInstanceUid: "1" as StudyUid,
    modality: "CT",
    seriesNumber,
    seriesDescription: "Lung",
    bodyPartExamined: "",
    instances: [...instances],
  };
}

function variant(id: string, of: { series: string; instance: string }): Variant {
  return {
    id,
    sopInstanceUid: of.instance as InstanceUid,
    seriesInstanceUid: of.series as SeriesUid,
    studyInstanceUid: "1" as StudyUid,
    instanceNumber: null,
    importedAt: "",
    bytes: 1,
    sha256: "",
    numberOfFrames: 1,
    first: { bytes: 1, sha256: "" },
    difference: null,
  };
}

const all = [
  series("1.1", [instance("1.1.1", 5), instance("1.1.2")]),
  series("1.2", [instance("1.2.1"), instance("1.2.2", 0)], null),
];
const variants = [
  variant("a", { series: "1.2", instance: "1.2.2" }),
  variant("b", { series: "1.1", instance: "1.1.2" }),
  variant("c", { series: "1.1", instance: "1.1.2" }),
];

describe("conflicts", () => {
  test("stand by image, in the order and by the numbers of the viewer", () => {
    expect(
      conflictsOf(variants, all, null).map(({ title, others }) => [title, others.map(({ id }) => id)]),
    ).toEqual([
      ["CT, series 3 Lung, image 6 of 6", ["b", "c"]],
      ["CT, Lung, no image", ["a"]],
    ]);
    expect(conflictsOf(variants, all, "1.2").map(({ sopInstanceUid }) => sopInstanceUid)).toEqual(["1.2.2"]);
  });

  test("are counted by series", () => {
    expect([...countBySeries(variants)]).toEqual([
      ["1.2", 1],
      ["1.1", 2],
    ]);
  });

  test("say in a few words what differs", () => {
    const field = { tag: "(0028,1050)", keyword: "WindowCenter", first: "40", second: "60" };
    expect(differenceText({ pixels: "different", elements: [], moreElements: 0 })).toBe("the pixels differ");
    expect(differenceText({ pixels: "same", elements: [field], moreElements: 0 })).toBe(
      "same pixels, 1 header field differs",
    );
    expect(differenceText({ pixels: "none", elements: [field], moreElements: 64 })).toBe(
      "no pixels, 65 header fields differ",
    );
    expect(differenceText(null)).toContain("not compared");
  });
});
