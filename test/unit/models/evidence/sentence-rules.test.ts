import { describe, expect, it } from "vitest";
import { contentWords, meanContentLogProbability } from "../../../../models/evidence/content-tokens.ts";
import { contradictionOf } from "../../../../models/evidence/contradiction.ts";
import { polarity, statesAbsence } from "../../../../models/evidence/negation.ts";
import { isPolarQuestion } from "../../../../models/evidence/polar.ts";
import { standsAlone } from "../../../../models/evidence/stands-alone.ts";

const polarities: [sentence: string, expected: "affirmed" | "negated" | "mixed"][] = [
  ["There is a fracture.", "affirmed"],
  ["There is no fracture.", "negated"],
  ["There is no fracture, dislocation or effusion.", "negated"],
  ["No pneumothorax is seen.", "negated"],
  ["No evidence of pneumonia.", "negated"],
  ["A mass is not seen.", "negated"],
  ["The heart is not enlarged.", "negated"],
  ["The heart is enlarged.", "affirmed"],
  ["The lungs are free of consolidation.", "negated"],
  ["The study is negative for fracture.", "negated"],
  ["Absence of pleural effusion.", "negated"],
  ["Pleural effusion is absent.", "negated"],
  ["The lungs are without nodules.", "negated"],
  ["The image fails to show a fracture.", "negated"],
  ["The image doesn't show a fracture.", "negated"],
  ["Neither fracture nor dislocation is present.", "negated"],
  ["The chest looks normal.", "negated"],
  ["The lungs are clear.", "negated"],
  ["The bone is intact.", "negated"],
  ["The chest is abnormal.", "affirmed"],
  ["The image does not show this.", "negated"],
  // Double negation affirms.
  ["The heart is not without enlargement.", "affirmed"],
  ["The chest is not normal.", "affirmed"],
  ["Pneumonia cannot be excluded.", "affirmed"],
  ["A fracture is not ruled out.", "affirmed"],
  ["A fracture is ruled out.", "negated"],
  ["There is no absence of lung markings.", "affirmed"],
  ["The effusion is not absent.", "affirmed"],
  // Words that look like negations.
  ["There is no change in the effusion.", "affirmed"],
  ["The nodule is not only large.", "affirmed"],
  ["There is no doubt about the fracture.", "affirmed"],
  // Scope.
  ["There is no fracture, but there is swelling.", "mixed"],
  ["There is a nodule without calcification.", "mixed"],
  ["There is a fracture and there is no dislocation.", "mixed"],
  ["No acute finding except for a nodule.", "mixed"],
  // The leading word of an answer.
  ["Yes.", "affirmed"],
  ["No.", "negated"],
  ["Yes, there is no fracture.", "negated"],
  ["No, there is no fracture.", "negated"],
  ["No, there is a fracture.", "affirmed"],
  ["The lesion looks benign.", "affirmed"],
  ["This is a radiograph of the hand.", "affirmed"],
];

describe("[GRD-2] negation is decided by rules", () => {
  it.each(polarities)("%s is %s", (sentence, expected) => {
    expect(polarity(sentence)).toBe(expected);
  });

  const bare: [answer: string, question: string, absence: boolean][] = [
    ["No.", "Is there a fracture?", true],
    ["Yes.", "Is there a fracture?", false],
    ["No.", "Is the chest normal?", false],
    ["Yes.", "Is the chest normal?", true],
    ["Yes.", "Is there no effusion?", true],
    ["No.", "Isn't there a fracture?", true],
    ["No.", "Is the bone intact?", false],
    ["No. ", "Are the lungs clear?", false],
  ];
  it.each(bare)("[GRD-2] a bare %s to %s: absence %s", (answer, question, absence) => {
    expect(statesAbsence(answer, question)).toBe(absence);
  });

  it("[GRD-2] a sentence that states something present and something absent does not state absence", () => {
    expect(statesAbsence("There is no fracture, but there is swelling.", "What do you see?")).toBe(false);
  });
});

describe("[GRD-5] the polar rule", () => {
  it.each([
    "Is there a fracture?",
    "is there a fracture",
    "Are the lungs clear?",
    "Does the image show a pleural effusion?",
    "Do you see a mass?",
    "The patient fell. Is there a fracture?",
    "Is there a fracture or not?",
    "Is there a fracture or a dislocation?",
    "Can you tell me if there is a nodule?",
  ])("%s is polar", (question) => {
    expect(isPolarQuestion(question)).toBe(true);
  });

  it.each([
    "What do you see?",
    "Where is the fracture?",
    "Is the lesion benign or malignant?",
    "Which view is this?",
    "Describe the findings.",
    "Is it a fracture? Where is it?",
    "",
  ])("%s is not polar", (question) => {
    expect(isPolarQuestion(question)).toBe(false);
  });
});

describe("[GRD-6] contradictions", () => {
  const pairs: [sentence: string, opposite: string][] = [
    ["There is a fracture.", "There is no fracture."],
    ["There is a pleural effusion.", "There is no pleural effusion."],
    ["There is an infiltrate.", "There is no infiltrate."],
    ["There is pneumonia.", "There is no pneumonia."],
    ["There is pulmonary edema.", "There is no pulmonary edema."],
    ["There is metal hardware.", "There is no metal hardware."],
    ["There are fractures.", "There are no fractures."],
    ["The lesion looks benign.", "The lesion is suspicious for malignancy."],
    ["A fracture is seen.", "No fracture is seen."],
    ["The heart is enlarged.", "The heart is not enlarged."],
    ["The chest is abnormal.", "The chest looks normal."],
    ["The lesion is benign.", "The lesion is malignant."],
    ["The image shows a fracture.", "The image shows no fracture."],
    ["Yes.", "No."],
    ["Yes. There is a fracture.", "No. There is no fracture."],
    ["Yes, there is a fracture.", "No, there is no fracture."],
  ];
  it.each(pairs)("%s <-> %s", (sentence, opposite) => {
    expect(contradictionOf(sentence)).toBe(opposite);
    expect(contradictionOf(opposite)).toBe(sentence);
  });

  it.each([
    "There is no fracture, but there is swelling.",
    "Normal chest.",
    "It lies in the upper left of the image.",
  ])("%s has no template", (sentence) => {
    expect(contradictionOf(sentence)).toBeNull();
  });
});

describe("[GRD-7] content tokens", () => {
  it("counts words that carry meaning, with numbers and negations", () => {
    const text = "There is no lung nodule of 8.5 mm in it.";
    expect(contentWords(text).map(({ start, end }) => text.slice(start, end))).toEqual([
      "no",
      "lung",
      "nodule",
      "8.5",
      "mm",
    ]);
  });

  it("takes the mean over tokens that touch such a word", () => {
    const score = [
      { start: 0, end: 3, logProbability: -100 },
      { start: 3, end: 7, logProbability: -1 },
      { start: 7, end: 10, logProbability: -3 },
      { start: 10, end: 11, logProbability: -50 },
    ];
    expect(meanContentLogProbability("The nodule.", score)).toBe(-2);
  });
});

describe("[GRD-8] standing alone", () => {
  it.each(["It is in the upper left.", "This is new.", "Therefore a fracture is likely."])(
    "%s leans",
    (sentence) => {
      expect(standsAlone(sentence)).toBe(false);
    },
  );
  it.each(["There is a fracture.", "The heart is enlarged.", "Items are seen."])(
    "%s stands alone",
    (sentence) => {
      expect(standsAlone(sentence)).toBe(true);
    },
  );
});
