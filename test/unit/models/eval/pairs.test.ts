import { describe, expect, it } from "vitest";
import { trainedClaims } from "../../../../models/eval/claims.ts";
import { partOf, readDataSets } from "../../../../models/eval/data-sets.ts";
import { planCalibration } from "../../../../models/eval/calibrate.ts";
import { groupedBy } from "../../../../models/eval/grouped-by.ts";
import { lookQuestions } from "../../../../models/eval/look.ts";
import { truePairs, wrongPairs } from "../../../../models/eval/pairs.ts";
import { leastNullAnswers } from "../../../../models/evidence/calibration.ts";
import { contradictionOf } from "../../../../models/evidence/contradiction.ts";
import { splitSentences } from "../../../../models/text/sentences.ts";
import { hasSharedData, sharedData, sharedDataMissing } from "../../../shared-data.ts";

// What models/training/data.py says of the same groups.
const parts: [set: string, group: string, part: string][] = [
  ["fracatlas", "g0000", "train"],
  ["fracatlas", "g0002", "report"],
  ["fracatlas", "g0005", "report"],
  ["fracatlas", "g0001", "tune"],
  ["busi", "g0000", "train"],
  ["busi", "g0606", "report"],
  ["nih-cxr14", "00000032", "train"],
  ["nih-cxr14", "00000100", "tune"],
  ["nih-cxr14", "00000013", "tune"],
];

describe("the split", () => {
  it.each(parts)("%s %s is in %s, as in the training recipe", (set, group, part) => {
    expect(partOf(set, group)).toBe(part);
  });
});

describe("claims", () => {
  it.each(["fracture", "lesion", "malignant", "Cardiomegaly", "Effusion", "Pneumonia"])(
    "the sentences of %s are each other's contradiction",
    (finding) => {
      const { present, absent } = trainedClaims[finding]!;
      const opposite = splitSentences(present).map(({ text }) => contradictionOf(text));
      expect(opposite).toEqual(splitSentences(absent).map(({ text }) => text));
    },
  );
});

describe.skipIf(!hasSharedData)(
  `pairs of the image sets (${hasSharedData ? "present" : sharedDataMissing})`,
  () => {
    it("[GRD-15] the null has 200 answers of each set, none with an image that the sentence belongs to", async () => {
      const images = await readDataSets(sharedData());
      const { region } = planCalibration(images, null);
      const sets = groupedBy(region, ({ source }) => source.set);
      expect([...sets.keys()].toSorted()).toEqual(["busi", "fracatlas", "nih-cxr14"]);
      for (const ofSet of sets.values()) expect(ofSet).toHaveLength(leastNullAnswers);
      expect(new Set(region.map(({ key }) => key)).size).toBe(region.length);
      for (const { kind, source, shown, finding } of region) {
        expect(source.part).toBe("tune");
        expect(shown.part).toBe("tune");
        expect(["other_patient", "blank", "noise"]).toContain(kind);
        if (kind !== "other_patient") continue;
        expect(shown.group).not.toBe(source.group);
        expect(shown.findings[finding]).toBe(false);
      }
      expect(region.filter(({ kind }) => kind === "other_patient").length).toBeGreaterThanOrEqual(300);
    });

    it("what is reported on is neither trained nor calibrated on", async () => {
      const images = await readDataSets(sharedData());
      const groupOf = new Map(images.map((image) => [`${image.set}/${image.file}`, image]));
      for (const question of lookQuestions(null)) {
        expect(groupOf.get(`${question.set}/${question.file}`)!.part).toBe("report");
        expect(groupOf.get(`${question.set}/${question.swapped}`)!.part).toBe("report");
      }
      const report = [...truePairs(images, "report"), ...wrongPairs(images, "report", 50)];
      for (const { source, shown } of report) expect([source.part, shown.part]).toEqual(["report", "report"]);
    });
  },
);
