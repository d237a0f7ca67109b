import { decode } from "fast-png";
import { describe, expect, it } from "vitest";
import { encodePng } from "../../../host/png.ts";
import { slicesOfSeries, spacedEvenly } from "../../../host/procedures/choose-views.ts";
import { inChunks } from "../../../host/procedures/imports.ts";
import { createPartialAnswer } from "../../../host/procedures/partial-answer.ts";
import type { PackSummary } from "../../../core/model-pack.ts";
import type { Question, Sentence } from "../../../core/question.ts";
import type { Series } from "../../../core/study.ts";

describe("views spaced evenly over a series", () => {
  const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

  it("lie in the middle of equal parts", () => {
    expect(spacedEvenly(numbers(64), 4)).toEqual([8, 24, 40, 56]);
    expect(spacedEvenly(numbers(64), 1)).toEqual([32]);
    expect(spacedEvenly(numbers(5), 2)).toEqual([1, 3]);
  });

  it("are all there are where the pack takes more", () => {
    expect(spacedEvenly(numbers(3), 8)).toEqual([0, 1, 2]);
    expect(spacedEvenly([], 4)).toEqual([]);
  });

  it("are different and in order for every size", () => {
    for (let count = 1; count < 70; count++) {
      for (let most = 1; most <= count; most++) {
        const chosen = spacedEvenly(numbers(count), most);
        expect(new Set(chosen).size).toBe(most);
        expect(chosen.toSorted((a, b) => a - b)).toEqual(chosen);
      }
    }
  });

  it("count the frames of multi-frame images and leave out what has no pixels", () => {
    const instance = (sopInstanceUid: string, numberOfFrames: number, hasPixels = true) => ({
      sopInstanceUid,
      numberOfFrames,
      hasPixels,
    });
    const series = {
      studyInstanceUid: "1",
      seriesInstanceUid: "2",
      instances: [instance("3", 1), instance("4", 2), instance("5", 1, false)],
    } as unknown as Series;
    expect(
      slicesOfSeries(series).map(({ source, frame }) => [(source as { instance: string }).instance, frame]),
    ).toEqual([
      ["3", 1],
      ["4", 1],
      ["4", 2],
    ]);
  });
});

describe("an upload in parts", () => {
  async function* body(...lengths: number[]) {
    let next = 0;
    for (const length of lengths) yield Uint8Array.from({ length }, () => next++ % 251);
  }
  const mebi = 1024 * 1024;

  it.each([
    { lengths: [], parts: [0] },
    { lengths: [0, 0], parts: [0] },
    { lengths: [10, 20], parts: [30] },
    { lengths: [mebi], parts: [mebi] },
    { lengths: [mebi, 1], parts: [mebi, 1] },
    { lengths: [3 * mebi + 5], parts: [mebi, mebi, mebi, 5] },
    { lengths: [700_000, 700_000, 700_000], parts: [mebi, mebi, 2_100_000 - 2 * mebi] },
  ])("of $lengths octets has the parts $parts, the last marked, nothing lost", async ({ lengths, parts }) => {
    const got: { chunk: Uint8Array; last: boolean }[] = [];
    for await (const part of inChunks(body(...lengths))) got.push(part);
    expect(got.map(({ chunk }) => chunk.length)).toEqual(parts);
    expect(got.map(({ last }) => last)).toEqual(parts.map((_, index) => index === parts.length - 1));
    const all = Buffer.concat(got.map(({ chunk }) => chunk));
    expect(all.every((octet, index) => octet === index % 251)).toBe(true);
  });
});

describe("the PNG of what the model saw", () => {
  it.each([1, 3] as const)("holds the same pixels with %i channels", (channels) => {
    const [width, height] = [7, 5];
    const pixels = Uint8Array.from({ length: width * height * channels }, (_, index) => (index * 37) % 256);
    const png = decode(encodePng({ width, height, channels, pixels }));
    expect(png).toMatchObject({ width, height, channels, depth: 8 });
    expect([...png.data]).toEqual([...pixels]);
  });
});

describe("an answer that was stopped", () => {
  const question = { question: "Is there a fracture?", seed: 4, views: [] } as unknown as Question;
  const made = { pack: { name: "p", version: "1", digest: "d" } as PackSummary, provider: "cpu" };
  const sentence = (text: string, state: Sentence["state"]) => ({ text, state }) as Sentence;

  it("is not worth keeping before its first word", () => {
    expect(createPartialAnswer(question).answer(made)).toBeNull();
  });

  it("keeps the text, the sentences, and what was tested of them", () => {
    const partial = createPartialAnswer(question);
    const subject = {} as never;
    const scope = { status: "in", reason: "" } as const;
    partial.add({ type: "accepted", id: "i", subject, scope, warnings: ["1 of 64 slices seen."] });
    partial.add({ type: "token", text: "Yes. There" });
    partial.add({ type: "token", text: " is." });
    partial.add({ type: "sentence", index: 0, sentence: sentence("Yes.", "untested") });
    partial.add({ type: "sentence", index: 1, sentence: sentence("There is.", "untested") });
    partial.add({ type: "evidence", index: 0, sentence: sentence("Yes.", "supported") });
    const answer = partial.answer(made)!;
    expect(answer).toMatchObject({ scope, seed: 4, pack: made.pack, provider: "cpu" });
    expect(answer.answer).toMatchObject({ text: "Yes. There is.", stop: "cancelled" });
    expect(answer.answer.sentences.map(({ state }) => state)).toEqual(["supported", "untested"]);
    expect(answer.warnings).toHaveLength(2);
  });
});
