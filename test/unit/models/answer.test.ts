import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, type AnswerEvent, answerEventSchema, answerSchema } from "../../../core/question.ts";
import type { AnswerRequest } from "../../../models/api.ts";
import { answer, groundSaved } from "../../../models/answer.ts";
import { evidenceFailed, mapLeftOut, saysLeftOut } from "../../../models/evidence/left-out.ts";
import type { LoadedPack } from "../../../models/loaded-pack.ts";
import { never } from "./tiny-model.ts";
import { openTinyPack, packsOf, tinyRequest, tinySummary } from "./tiny-pack.ts";

let pack: LoadedPack;
beforeAll(async () => {
  pack = await openTinyPack();
});
afterAll(() => pack.dispose());

async function ask(
  request: AnswerRequest,
  signal = never,
): Promise<{ events: AnswerEvent[]; answer: Answer }> {
  const events: AnswerEvent[] = [];
  for await (const event of answer(packsOf(pack), request, signal)) events.push(event);
  const last = events.at(-1);
  if (last?.type !== "done") throw new Error("no answer");
  return { events, answer: last.answer };
}

const types = (events: AnswerEvent[]) => events.map(({ type }) => type).filter((type) => type !== "progress");

describe("an answer", () => {
  test("comes as accepted, tokens, sentences and done, and the tokens are its text", async () => {
    const { events, answer: found } = await ask(tinyRequest());
    const order = [...new Set(types(events))];
    expect(order).toEqual(
      ["accepted", "token", "sentence", "done"].filter((type) => order.includes(type as never)),
    );
    const streamed = events.flatMap((event) => (event.type === "token" ? [event.text] : [])).join("");
    expect(found.answer.text).toBe(streamed);
    expect(found.answer.stop).toBe("length");
    expect(found.warnings).toContain("The answer was cut at 24 tokens, the limit of this question.");
    for (const event of events) expect(v.is(answerEventSchema, event)).toBe(true);
    expect(v.is(answerSchema, found)).toBe(true);
    expect(found.tokens).toMatchObject({ image: 16, answer: 24 });
    expect(found.scope.status).toBe("in");
    for (const { text, start, end, state } of found.answer.sentences) {
      expect(found.answer.text.slice(start, end)).toBe(text);
      expect(state).toBe("untested");
    }
  });

  test("is the same for the same seed, greedy or sampled, and another for another seed", async () => {
    const sampled = { temperature: 1, topP: 0.95 };
    const texts: string[] = [];
    for (const seed of [7, 7, 8])
      texts.push((await ask(tinyRequest({ ...sampled, seed }))).answer.answer.text);
    expect(texts[0]).toBe(texts[1]);
    expect(texts[0]).not.toBe(texts[2]);
    const [first, second] = [await ask(tinyRequest()), await ask(tinyRequest())];
    expect(first.answer.answer.text).toBe(second.answer.answer.text);
  });

  test("reads the same image again only once", async () => {
    await ask(tinyRequest({}, 5));
    const { answer: followUp } = await ask(tinyRequest({ question: "What do you see?" }, 5));
    expect(followUp.tokens.reused).toBeGreaterThanOrEqual(16);
    const { answer: other } = await ask(tinyRequest({ question: "What do you see?" }, 6));
    expect(other.tokens.reused).toBeLessThan(16);
  });

  test("depends on the image", async () => {
    const [one, other] = [await ask(tinyRequest({}, 1)), await ask(tinyRequest({}, 2))];
    expect(one.answer.answer.text).not.toBe(other.answer.answer.text);
  });

  test("is one of the choices where there are some", async () => {
    const { events, answer: found } = await ask(tinyRequest({ choices: ["yes", "no"] }));
    expect(["yes", "no"]).toContain(found.answer.text);
    expect(found.answer.stop).toBe("end");
    expect(found.answer.sentences).toHaveLength(1);
    expect(types(events)).toEqual(["accepted", "token", "sentence", "done"]);
  });
});

describe("a question that the pack is not for", () => {
  const of = (modality: string | null, bodyPart: string | null) => {
    const request = tinyRequest();
    const [view] = request.views;
    const summary = { ...view!.summary, facts: { modality, bodyPart, view: null } };
    return { ...request, views: [{ ...view!, summary }] };
  };

  test("is refused with the reason and without sentences, and no model is loaded for it", async () => {
    const events: AnswerEvent[] = [];
    const packs = {
      ...packsOf(pack),
      lease: () => {
        throw new Error("a model was loaded");
      },
    };
    for await (const event of answer(packs, of("MR", "HEAD"), never)) events.push(event);
    expect(types(events)).toEqual(["accepted", "done"]);
    expect(events.at(-1)).toMatchObject({
      answer: {
        answer: { stop: "refused", sentences: [], text: expect.stringContaining("hand radiographs") },
      },
    });
  });

  test("is answered with a warning where the header does not say", async () => {
    const { answer: found } = await ask(of(null, "HAND"));
    expect(found.scope.status).toBe("uncertain");
    expect(found.warnings).toContain(found.scope.reason);
    expect(found.answer.stop).not.toBe("refused");
  });

  test("more images than the pack takes are refused by name", async () => {
    const request = tinyRequest();
    const views = [0, 1, 2].map(() => request.views[0]!);
    await expect(ask({ ...request, views })).rejects.toMatchObject({ code: "bad-input" });
    expect(tinySummary.maxViews).toBe(2);
  });
});

describe("what does not fit", () => {
  test("a question longer than the context is refused by name", async () => {
    const question = "Is there a fracture? ".repeat(40).slice(0, 600);
    await expect(ask(tinyRequest({ question }))).rejects.toMatchObject({ code: "question-too-long" });
  });

  test("an answer that fills the context says that it was cut", async () => {
    const { answer: found } = await ask(tinyRequest({ question: "x".repeat(330), maxTokens: 4000 }));
    expect(found.answer.stop).toBe("length");
    expect(found.tokens.prompt + found.tokens.answer).toBe(512);
    expect(found.warnings.join()).toContain("the model's context is full");
  });

  test("slices that were not seen are counted", async () => {
    const { answer: found } = await ask(tinyRequest({ unseenSlices: 63 }));
    expect(found.warnings).toContain("1 of 64 slices seen.");
  });
});

describe("stopping", () => {
  test("ends the answer at once and the next question works", async () => {
    const controller = new AbortController();
    const events: AnswerEvent[] = [];
    const stopped = async () => {
      for await (const event of answer(packsOf(pack), tinyRequest({ maxTokens: 200 }), controller.signal)) {
        events.push(event);
        if (event.type === "token") controller.abort();
      }
    };
    await expect(stopped()).rejects.toMatchObject({ code: "cancelled" });
    expect(types(events).filter((type) => type === "token")).toHaveLength(1);
    expect((await ask(tinyRequest())).answer.tokens.answer).toBe(24);
  });
});

describe("the evidence", () => {
  test("is tested after the answer, and a saved answer can be tested later", async () => {
    const { events, answer: found } = await ask(tinyRequest({ choices: ["yes", "no"], ground: true }));
    expect(events.some(({ type }) => type === "evidence")).toBe(true);
    expect(found.timing.evaluations).toBeGreaterThan(0);
    expect(found.answer.sentences[0]).toMatchObject({
      state: "uncalibrated",
      start: 0,
      end: found.answer.text.length,
    });
    expect(found.answer.sentences[0]!.reliance).not.toBeNull();

    const request = tinyRequest({ choices: ["yes", "no"] });
    const said = (await ask(request)).answer;
    const saved = { ...said, warnings: ["Lossy compression.", mapLeftOut(40), evidenceFailed("no memory")] };
    const later: AnswerEvent[] = [];
    for await (const event of groundSaved(packsOf(pack), { request, answer: saved }, never))
      later.push(event);
    const last = later.at(-1);
    expect(last?.type === "done" && last.answer.answer.sentences[0]!.reliance?.nats).toBeCloseTo(
      found.answer.sentences[0]!.reliance!.nats,
      3,
    );
    // What was left out before is there now.
    expect(last?.type === "done" && last.answer.warnings).toContain("Lossy compression.");
    expect(last?.type === "done" && last.answer.warnings.some(saysLeftOut)).toBe(false);
  });

  test("of an answer by another pack version is not computed", async () => {
    const request = tinyRequest();
    const saved = (await ask(request)).answer;
    const changed = { ...saved, pack: { ...saved.pack, digest: "1".repeat(64) } };
    const work = groundSaved(packsOf(pack), { request, answer: changed }, never);
    await expect(work.next().then(() => work.next())).rejects.toMatchObject({ code: "pack-not-found" });
  });
});
