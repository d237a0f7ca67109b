import { expect, test } from "vitest";
import { trainedClaims } from "../../../../models/eval/claims.ts";
import { answerSentences } from "../../../../models/evidence/answer-sentences.ts";

const texts = (text: string, question: string) => answerSentences(text, question).map((span) => span.text);

test.each([
  ["Is there a fracture?", "Yes. There is a fracture."],
  ["Is there a fracture?", "No. There is no fracture."],
  ["Is there a fracture?", "Yes.\nA fracture is seen."],
  ["Are there fractures?", "No. No fracture is seen."],
  ["Is the lesion malignant?", "Yes. The lesion is suspicious for malignancy."],
  ["Are there lung masses?", "Yes. There is a lung mass."],
])("a bare yes or no and what says it in full are one sentence: %s %s", (question, text) => {
  expect(texts(text, question)).toEqual([text]);
});

test.each([
  ["more than was asked", "Is there a fracture?", ["Yes.", "There is a fracture of the fifth metacarpal."]],
  ["another finding", "Is there pneumonia?", ["Yes.", "There is a pneumothorax."]],
  ["the opposite", "Is there a fracture?", ["No.", "There is a fracture."]],
  ["the opposite, negated", "Is there a fracture?", ["Yes.", "There is no fracture."]],
  ["an answer to no polar question", "What do you see?", ["Yes.", "There is a fracture."]],
  ["a sentence with the word in it", "Is there a fracture?", ["Yes, there is.", "There is a fracture."]],
  ["a word alone", "Is there a fracture?", ["Yes."]],
  ["no word", "Is there a fracture?", ["There is a fracture.", "It is old."]],
])("stays apart: %s", (_, question, sentences) => {
  expect(texts(sentences.join(" "), question)).toEqual(sentences);
});

test("what follows keeps its place", () => {
  const text = "Yes. There is a fracture. It is displaced.";
  expect(answerSentences(text, "Is there a fracture?")).toEqual([
    { text: "Yes. There is a fracture.", start: 0, end: 25 },
    { text: "It is displaced.", start: 26, end: 42 },
  ]);
});

test("each statement that the embedded pack was trained on is one sentence", () => {
  for (const { question, present } of Object.values(trainedClaims)) {
    expect(texts(present, question)).toEqual([present]);
  }
});
