import { describe, expect, it } from "vitest";
import type { FrameSummary } from "../../../core/frame.ts";
import type { Answer, AnswerEvent, Sentence } from "../../../core/question.ts";
import type { InstanceUid, SeriesUid, StudyUid } from "../../../core/study.ts";
import { cardOfRecord, failCard, foldAnswer, isOpen, startCard } from "../../../renderer/ask/fold-answer.ts";
import { copiedText, nameText, progressText } from "../../../renderer/ask/words.ts";

const subject: FrameSummary = {
  studyInstanceUid: "1.2.3" as StudyUid,
  seriesInstanceUid: "1.2.3.4" as SeriesUid,
  sopInstanceUid: "1.2.3.4.5" as InstanceUid,
  frame: 1,
  frameCount: 1,
  patientName: "Phantom^Hand^^Dr=Phantom",
  patientId: "P1",
  studyDate: "20260102",
  studyDescription: "Hand",
  seriesDescription: "",
  seriesNumber: 2,
  instanceNumber: 7,
  laterality: "L",
  phantom: true,
  facts: { modality: "CR", bodyPart: "HAND", view: null },
};

const sentence = (text: string, state: Sentence["state"]): Sentence => ({
  text,
  start: 0,
  end: text.length,
  probability: null,
  reliance: null,
  state,
  regions: [],
  views_effect: [],
  maps: [],
});

function answerWith(sentences: Sentence[]): Answer {
  return {
    question: "Is there a fracture?",
    pack: { name: "nano", version: "0.1.0", digest: "0123456789abcdef" },
    provider: "cpu",
    seed: 0,
    views: [],
    scope: { status: "uncertain", reason: "No body part in the header." },
    answer: { text: sentences.map((s) => s.text).join(" "), stop: "end", sentences },
    timing: {
      load_ms: 0,
      image_ms: 1,
      prefill_ms: 1,
      first_token_ms: 1,
      decode_tokens_per_s: 1,
      grounding_ms: 1,
      evaluations: 1,
    },
    tokens: { prompt: 1, image: 1, reused: 0, answer: 1 },
    warnings: ["1 of 3 slices seen"],
  };
}

const asked = {
  key: "k",
  askedAt: "2026-01-02T03:04:05Z",
  question: "Is there a fracture?",
  subject,
  views: [],
};

const events: AnswerEvent[] = [
  { type: "progress", stage: "image", fraction: 0.5, remaining_ms: 4200 },
  { type: "accepted", id: "a1", subject, scope: { status: "in", reason: "" }, warnings: [] },
  { type: "token", text: "Yes. " },
  { type: "token", text: "There is a fracture." },
  { type: "sentence", index: 0, sentence: sentence("Yes.", "untested") },
  { type: "sentence", index: 1, sentence: sentence("There is a fracture.", "untested") },
  { type: "progress", stage: "map", fraction: 0.1, remaining_ms: 8000 },
  { type: "evidence", index: 1, sentence: sentence("There is a fracture.", "supported") },
];

describe("foldAnswer", () => {
  it("builds the card from the events of a stream", () => {
    const card = events.reduce(foldAnswer, startCard(asked));
    expect(card.id).toBe("a1");
    expect(card.text).toBe("Yes. There is a fracture.");
    expect(card.sentences.map((s) => s.state)).toEqual(["untested", "supported"]);
    expect(card.status.type).toBe("testing");
    expect(isOpen(card)).toBe(true);
  });

  it("takes the saved form of everything from done", () => {
    const answer = answerWith([sentence("No.", "absent")]);
    const card = [...events, { type: "done", answer } as const].reduce(foldAnswer, startCard(asked));
    expect(card.text).toBe("No.");
    expect(card.sentences).toHaveLength(1);
    expect(card.warnings).toEqual(["1 of 3 slices seen"]);
    expect(isOpen(card)).toBe(false);
  });

  it("keeps what was read when the answer fails or is stopped", () => {
    const card = failCard(events.reduce(foldAnswer, startCard(asked)), {
      code: "process-lost",
      message: "gone",
    });
    expect(card.text).toBe("Yes. There is a fracture.");
    expect(isOpen(card)).toBe(false);
  });

  it("gives the same card for a saved answer as for the stream that made it", () => {
    const answer = answerWith([sentence("Yes.", "supported")]);
    const streamed = [...events, { type: "done", answer } as const].reduce(foldAnswer, startCard(asked));
    const input = { question: answer.question, views: [] } as never;
    const saved = cardOfRecord({ id: "a1", askedAt: asked.askedAt, subject, input, answer });
    expect({ ...saved, key: "k" }).toEqual(streamed);
  });
});

describe("words", () => {
  it("copies the text with research use, pack, date and patient", () => {
    const answer = answerWith([sentence("Yes.", "supported")]);
    const text = copiedText(foldAnswer(startCard(asked), { type: "done", answer }));
    for (const part of [
      "AI, research use",
      "nano 0.1.0",
      asked.askedAt,
      "Phantom, Hand",
      "P1",
      "2026-01-02",
      "image 7",
    ]) {
      expect(text).toContain(part);
    }
    expect(text).toContain("Rests on this region (tested)");
    expect(text).toContain("1 of 3 slices seen");
  });

  it("never claims that an answer is right", () => {
    const answer = answerWith([sentence("Yes.", "supported"), sentence("No.", "unsupported")]);
    const text = copiedText(foldAnswer(startCard(asked), { type: "done", answer }));
    expect(text).not.toMatch(/verified|supported|correct|confirmed/i);
  });

  it("shows a person name in reading order", () => {
    expect(nameText("Doe^Jane^Q")).toBe("Doe, Jane Q");
    expect(nameText("^^")).toBe("No name");
  });

  it("shows the estimate only where there is one", () => {
    expect(progressText({ stage: "map", fraction: 0, remainingMs: 7600 })).toContain("about 8 s left");
    expect(progressText({ stage: "decode", fraction: null, remainingMs: null })).toBe("Answering");
  });
});
