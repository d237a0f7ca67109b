import { describe, expect, it } from "vitest";
import type { SentenceEvidence } from "../../../../core/evidence.ts";
import type { Rectangle } from "../../../../core/view.ts";
import { groundAnswer } from "../../../../models/evidence/ground.ts";
import type { GroundingEvent, GroundingRequest } from "../../../../models/evidence/grounding-request.ts";
import type { GroundingView } from "../../../../models/evidence/model-access.ts";
import { seededRandom } from "../../../../models/evidence/noise.ts";
import { openReferences } from "../../../../models/evidence/references.ts";
import { functionModel, meanInside, paddedView } from "../../../fixtures/known-answer/function-model.ts";
import { madeCalibration } from "../../../fixtures/known-answer/made-calibration.ts";
import { markImage } from "../../../fixtures/known-answer/mark-image.ts";

const side = 64;
const signal = new AbortController().signal;

const calibration = madeCalibration({
  reliance: { slope: 2, offset: -2, threshold: 0.5 },
  region: { threshold: 0.2, interval: [0.1, 0.3] },
});

function request(views: GroundingView[], given: Partial<GroundingRequest>): GroundingRequest {
  const random = seededRandom(7);
  const plain = Array.from({ length: 4 }, (_, index) => ({
    name: `plain-${index}`,
    modality: "CR",
    bodyPart: "HAND",
    input: paddedView(markImage({ width: side, height: side, marks: [] }, random), side).input,
  }));
  return {
    question: "Is there a mark?",
    choices: null,
    answer: answer("Yes.", "There is a mark."),
    views,
    facts: { modality: "CR", bodyPart: "HAND", view: null },
    model: functionModel(() => 0),
    references: openReferences(plain),
    calibration,
    kind: null,
    budgetSeconds: null,
    seed: 1,
    ...given,
  };
}

function answer(...sentences: string[]): GroundingRequest["answer"] {
  const text = sentences.join(" ");
  let at = 0;
  return {
    text,
    sentences: sentences.map((sentence) => {
      const start = text.indexOf(sentence, at);
      at = start + sentence.length;
      return { text: sentence, start, end: at };
    }),
  };
}

async function ground(asked: GroundingRequest) {
  const events: GroundingEvent[] = [];
  for await (const event of groundAnswer(asked, signal)) events.push(event);
  const evidence: SentenceEvidence[] = [];
  for (const event of events) if (event.type === "evidence") evidence[event.index] = event.evidence;
  const done = events.at(-1);
  if (done?.type !== "done") throw new Error("no done event");
  return { events, evidence, done };
}

function brightness(patch: Rectangle, gain = 20) {
  return functionModel(
    (inputs) => gain * Math.max(...inputs.map((input) => meanInside(input, patch) - 0.45)),
  );
}

describe("groundAnswer", () => {
  const mark = { x: 38, y: 12, width: 10, height: 10 };
  const view = paddedView(
    markImage({ width: 64, height: 48, marks: [{ ...mark, y: mark.y - 8 }] }, seededRandom(3)),
    side,
  );

  it("[GRD-16] finds the region that the answer depends on, in pixels of the stored frame", async () => {
    const { evidence } = await ground(request([view], { model: brightness(mark) }));
    for (const sentence of evidence) {
      expect(sentence.state).toBe("supported");
      expect(sentence.regions).toHaveLength(1);
      const [box] = sentence.regions;
      expect(box!.x + box!.width / 2).toBeGreaterThan(38);
      expect(box!.x + box!.width / 2).toBeLessThan(48);
      expect(box!.y + box!.height / 2).toBeGreaterThan(4);
      expect(box!.y + box!.height / 2).toBeLessThan(14);
    }
  });

  it("[GRD-10] keeps every term of reliance, and reliance is their difference to the image", async () => {
    const { evidence } = await ground(request([view], { model: brightness(mark) }));
    const [, { reliance, stand, terms }] = evidence as [SentenceEvidence, SentenceEvidence];
    expect(terms!.map(({ reference }) => reference)).toEqual([
      "blurred",
      "mean-filled",
      "plain-0",
      "plain-1",
      "plain-2",
      "plain-3",
    ]);
    const mean = terms!.reduce((sum, term) => sum + term.alone_nats, 0) / 6;
    expect(reliance!.alone_nats).toBeCloseTo(stand!.alone_nats - mean, 9);
  });

  it("[GRD-18] an answer that ignores the image is unsupported and costs no map", async () => {
    const { evidence, done } = await ground(request([view], { model: functionModel(() => 3) }));
    for (const sentence of evidence) {
      expect(sentence.state).toBe("unsupported");
      expect(sentence.regions).toEqual([]);
    }
    expect(done.evaluations).toBe(7);
  });

  it("[GRD-3] a negated finding has no box", async () => {
    const asked = { answer: answer("No.", "There is no mark."), model: brightness(mark, -20) };
    const { evidence } = await ground(request([view], asked));
    for (const sentence of evidence) {
      expect(sentence).toMatchObject({ state: "absent", regions: [], maps: [], region_effect: null });
      expect(sentence.reliance!.alone_nats).toBeGreaterThan(0);
    }
  });

  it("[GRD-19] a pack without calibration says uncalibrated, never supported", async () => {
    const { evidence } = await ground(request([view], { model: brightness(mark), calibration: null }));
    for (const sentence of evidence) {
      expect(sentence.state).toBe("uncalibrated");
      expect(sentence.reliance!.calibrated).toBeNull();
      expect(sentence.maps).toHaveLength(1);
    }
  });

  it("[GRD-19] the calibration of another search does not count", async () => {
    const asked = { model: brightness(mark), calibration: { ...calibration, search: "older" } };
    const { evidence, done } = await ground(request([view], asked));
    expect(evidence.map(({ state }) => state)).toEqual(["uncalibrated", "uncalibrated"]);
    expect(done.warnings.join(" ")).toContain("another search");
  });

  it("[GRD-15] where the image's kind has thresholds of its own, these count", async () => {
    const { reliance, region } = calibration;
    const strict = { kind: "limbs", reliance, region: { ...region, threshold: 100 } };
    const asked = { model: brightness(mark), calibration: { ...calibration, by_kind: [strict] } };
    const states = async (kind: string | null) =>
      (await ground(request([view], { ...asked, kind }))).evidence.map(({ state }) => state);
    expect(await states("limbs")).toEqual(["diffuse", "diffuse"]);
    expect(await states("chests")).toEqual(["supported", "supported"]);
    expect(await states(null)).toEqual(["supported", "supported"]);
  });

  it("[GRD-15] a calibration with fewer than 200 answers in its null does not count", async () => {
    const small = { ...calibration, region: { ...calibration.region, answers: 199 } };
    const { evidence, done } = await ground(request([view], { model: brightness(mark), calibration: small }));
    expect(evidence.map(({ state }) => state)).toEqual(["uncalibrated", "uncalibrated"]);
    expect(done.warnings.join(" ")).toContain("199");
  });

  it("[GRD-17] evidence spread over the image is diffuse", async () => {
    const whole = functionModel(
      ([input]) => 6 * (meanInside(input!, { x: 0, y: 8, width: 64, height: 48 }) - 0.2),
    );
    const bright = markImage(
      { width: 64, height: 48, marks: [{ x: 0, y: 0, width: 64, height: 48 }] },
      seededRandom(5),
    );
    for (let row = 0; row < 48; row += 2) bright.pixels.fill(60, row * 64, row * 64 + 64);
    const { evidence } = await ground(request([paddedView(bright, side)], { model: whole }));
    for (const sentence of evidence) expect(["diffuse", "unsupported"]).toContain(sentence.state);
  });

  it("[GRD-13] two places give two boxes", async () => {
    const places = [
      { x: 6, y: 14, width: 9, height: 9 },
      { x: 44, y: 38, width: 9, height: 9 },
    ];
    const image = markImage({ width: 64, height: 64, marks: places }, seededRandom(11));
    const model = functionModel(
      ([input]) => 8 * (meanInside(input!, places[0]!) + meanInside(input!, places[1]!) - 0.9),
    );
    const { evidence } = await ground(request([paddedView(image, side)], { model }));
    for (const { regions } of evidence) {
      expect(regions).toHaveLength(2);
      for (const place of places) {
        const hit = regions.some(
          (box) =>
            Math.abs(box.x + box.width / 2 - place.x - 4.5) < 5 &&
            Math.abs(box.y + box.height / 2 - place.y - 4.5) < 5,
        );
        expect(hit).toBe(true);
      }
    }
  });

  it("[GRD-20] several views: the one that matters is searched, and its effect stands beside the others", async () => {
    const other = paddedView(markImage({ width: 64, height: 48, marks: [] }, seededRandom(9)), side);
    const model = functionModel((inputs) => 20 * (meanInside(inputs[1]!, mark) - 0.45));
    const { evidence } = await ground(request([other, view], { model }));
    for (const sentence of evidence) {
      expect(sentence.views_effect.map(({ nats }) => nats > 0.5)).toEqual([false, true]);
      expect(sentence.regions.map((region) => region.view)).toEqual([1]);
      expect(sentence.maps.map((map) => map.view)).toEqual([1]);
    }
  });

  it("[GRD-21] above the budget reliance alone is computed and the sentences are untested", async () => {
    const slow = brightness(mark);
    const late = {
      ...slow,
      score: async (...input: Parameters<typeof slow.score>) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        return slow.score(...input);
      },
    };
    const { evidence, done } = await ground(request([view], { model: late, budgetSeconds: 0.05 }));
    for (const sentence of evidence) {
      expect(sentence.state).toBe("untested");
      expect(sentence.reliance).not.toBeNull();
      expect(sentence.maps).toEqual([]);
    }
    expect(done.warnings.join(" ")).toContain("map was not computed");
  });

  it("[GRD-21] progress grows to the end, reliance comes before the first map", async () => {
    const { events } = await ground(request([view], { model: brightness(mark) }));
    const fractions = events.flatMap((event) => (event.type === "progress" ? [event.fraction] : []));
    expect(fractions[0]).toBe(0);
    expect(fractions.at(-1)).toBe(1);
    const firstEvidence = events.findIndex((event) => event.type === "evidence");
    const firstMap = events.findIndex((event) => event.type === "progress" && event.stage === "map");
    expect(firstEvidence).toBeLessThan(firstMap);
    const [first] = events.flatMap((event) => (event.type === "evidence" ? [event.evidence] : []));
    expect(first).toMatchObject({ state: "untested", maps: [] });
  });

  it("[GRD-21] a cancelled search stops with the next batch", async () => {
    const controller = new AbortController();
    let encoded = 0;
    const model = brightness(mark);
    const counting = {
      ...model,
      encode: (...input: Parameters<typeof model.encode>) => {
        encoded += input[0].length;
        return model.encode(...input);
      },
    };
    const run = async () => {
      for await (const event of groundAnswer(request([view], { model: counting }), controller.signal)) {
        if (event.type === "progress" && event.stage === "map") controller.abort();
      }
    };
    await expect(run()).rejects.toMatchObject({ code: "cancelled" });
    expect(encoded).toBeLessThanOrEqual(1 + 2 + 4 + 2 * 4);
  });

  it("[GRD-8] a sentence that the earlier one already gives follows from it", async () => {
    const base = brightness(mark);
    const model: typeof base = {
      ...base,
      score: async (asked, stopped) => {
        const scores = await base.score(asked, stopped);
        // Once "Yes." is said, the second sentence is certain whatever the image.
        return scores.map((list) =>
          list.map((score, index) =>
            asked.continuations[index]!.prefix === ""
              ? score
              : [
                  {
                    ...score[0]!,
                    logProbability: asked.continuations[index]!.text.includes(" no ") ? -9 : 0,
                  },
                ],
          ),
        );
      },
    };
    const { evidence } = await ground(request([view], { model }));
    expect(evidence[0]!.follows_from).toBeNull();
    expect(evidence[1]).toMatchObject({ follows_from: 0, state: "supported" });
  });
});
