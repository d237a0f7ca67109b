import { expect, test } from "vitest";
import { splitSentences } from "../../../../models/text/sentences.ts";

const cases: [name: string, text: string, sentences: string[]][] = [
  ["plain sentences", "Yes. There is a fracture.", ["Yes.", "There is a fracture."]],
  ["an answer of one word", "No. There is no fracture.", ["No.", "There is no fracture."]],
  ["decimals", "The mass measures 3.5 cm. It is round.", ["The mass measures 3.5 cm.", "It is round."]],
  ["titles", "Seen by Dr. Smith today. Unchanged.", ["Seen by Dr. Smith today.", "Unchanged."]],
  [
    "e.g. and i.e.",
    "A mass, e.g. a cyst, is seen. It is smooth.",
    ["A mass, e.g. a cyst, is seen.", "It is smooth."],
  ],
  [
    "e.g. before a capital",
    "Findings, e.g. Kerley lines, are absent.",
    ["Findings, e.g. Kerley lines, are absent."],
  ],
  ["initials", "Named after J. Smith in 1920. Rare.", ["Named after J. Smith in 1920.", "Rare."]],
  ["figures", "See Fig. 3 for this. Done.", ["See Fig. 3 for this.", "Done."]],
  ["numbers behind no.", "See image no. 4 of the series. Done.", ["See image no. 4 of the series.", "Done."]],
  ["lines", "Heart normal\nLungs clear\n\nNo effusion", ["Heart normal", "Lungs clear", "No effusion"]],
  [
    "numbered lines",
    "1. Heart is normal.\n2. Lungs are clear.",
    ["1. Heart is normal.", "2. Lungs are clear."],
  ],
  ["questions and exclamations", "Fracture? Yes! It is old.", ["Fracture?", "Yes!", "It is old."]],
  ["quotes", 'He wrote "stable." It was not.', ['He wrote "stable."', "It was not."]],
  ["no end mark", "There is a fracture", ["There is a fracture"]],
  ["a small letter goes on", "The cor. size is normal.", ["The cor. size is normal."]],
  ["dots", "Unclear... Perhaps a cyst.", ["Unclear...", "Perhaps a cyst."]],
  ["full-width marks", "有骨折。没有脱位。", ["有骨折。", "没有脱位。"]],
  ["a year at the end", "Unchanged since 2019. No mass.", ["Unchanged since 2019.", "No mass."]],
  ["nothing", " \n ", []],
  ["marks alone", "...", []],
];

test.each(cases)("%s", (_, text, sentences) => {
  const spans = splitSentences(text);
  expect(spans.map((span) => span.text)).toEqual(sentences);
  for (const { start, end, text: body } of spans) expect(text.slice(start, end)).toBe(body);
});

test("offsets count UTF-16 units", () => {
  const text = "🩻 Film. Größe 3.";
  expect(splitSentences(text).map(({ start, end }) => [start, end])).toEqual([
    [0, 8],
    [9, 17],
  ]);
});
