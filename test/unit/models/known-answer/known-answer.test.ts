import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SentenceEvidence } from "../../../../core/evidence.ts";
import type { Rectangle, View } from "../../../../core/view.ts";
import type { LoadedView } from "../../../../models/api.ts";
import { bindQuestion, groundingView } from "../../../../models/bind-question.ts";
import { answerSentences } from "../../../../models/evidence/answer-sentences.ts";
import type { Calibration } from "../../../../models/evidence/calibration.ts";
import { blurredReference } from "../../../../models/evidence/fills.ts";
import { groundAnswer } from "../../../../models/evidence/ground.ts";
import { type Random, seededRandom } from "../../../../models/evidence/noise.ts";
import { fitContent, inputToFrame, turnedSize } from "../../../../models/image/mapping.ts";
import type { LoadedPack } from "../../../../models/loaded-pack.ts";
import type { OrtLanguageModel } from "../../../../models/runtime/language-model.ts";
import { meanInside } from "../../../fixtures/known-answer/function-model.ts";
import { greyView } from "../../../fixtures/known-answer/known-answer-frame.ts";
import { knownAnswerReferences } from "../../../fixtures/known-answer/known-answer-references.ts";
import {
  analyticLogOdds,
  type KnownAnswerKind,
  knownAnswerQuestion,
  knownAnswerSide,
  knownAnswerSpec,
} from "../../../fixtures/known-answer/known-answer-spec.ts";
import { madeCalibration } from "../../../fixtures/known-answer/made-calibration.ts";
import { markImage } from "../../../fixtures/known-answer/mark-image.ts";
import {
  openKnownAnswer,
  openKnownAnswerLanguage,
} from "../../../fixtures/known-answer/open-known-answer.ts";

const side = knownAnswerSide;
const facts = { modality: "CR", bodyPart: "HAND", view: null };
const signal = new AbortController().signal;
const runs = 200;
/** On two busy cores; alone it takes a tenth of it. */
const patience = 600_000;

let language: OrtLanguageModel;
beforeAll(async () => {
  language = await openKnownAnswerLanguage(knownAnswerSpec("blind", { patches: [] }));
});
afterAll(() => language.dispose());

/** A view of a random frame: size, crop, aspect, turn and flip. `content` is where it lies in the model input. */
function randomGeometry(random: Random) {
  const whole = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
  const frame = { width: whole(60, 260), height: whole(60, 260) };
  const cropped = random() < 0.5;
  const cropWidth = cropped ? whole(50, frame.width) : frame.width;
  const cropHeight = cropped ? whole(50, frame.height) : frame.height;
  const crop = {
    x: whole(0, frame.width - cropWidth),
    y: whole(0, frame.height - cropHeight),
    width: cropWidth,
    height: cropHeight,
  };
  const turn: View["turn"] =
    random() < 0.3
      ? { flip: random() < 0.5, rotate: ([0, 90, 180, 270] as const)[whole(0, 3)]! }
      : { flip: false, rotate: 0 };
  const content = fitContent(turnedSize(crop, turn), { width: side, height: side });
  return { frame, crop: cropped ? crop : null, turn, content, geometry: { frame, crop, turn, content } };
}

/** A patch inside the part of the model input that shows the image. */
function randomPatch(content: Rectangle, random: Random): Rectangle {
  const size = Math.min(7 + Math.floor(random() * 7), content.width, content.height);
  const at = (from: number, length: number) => from + Math.floor(random() * (length - size + 1));
  return { x: at(content.x, content.width), y: at(content.y, content.height), width: size, height: size };
}

async function groundWith(
  pack: Awaited<ReturnType<typeof openKnownAnswer>>,
  loaded: LoadedView,
  { calibration, text = "Yes. There is a mark." }: { calibration: Calibration | null; text?: string },
): Promise<SentenceEvidence[]> {
  const reader = pack.readers.borrow();
  const evidence: SentenceEvidence[] = [];
  const request = {
    question: knownAnswerQuestion,
    choices: null,
    answer: { text, sentences: answerSentences(text, knownAnswerQuestion) },
    views: [groundingView(pack, loaded)],
    facts,
    model: bindQuestion(
      pack as unknown as LoadedPack,
      { question: knownAnswerQuestion, choices: null, facts },
      reader,
    ),
    references: pack.references,
    calibration,
    kind: null,
    budgetSeconds: null,
    seed: 1,
  };
  for await (const event of groundAnswer(request, signal))
    if (event.type === "evidence") evidence[event.index] = event.evidence;
  await pack.readers.giveBack(reader);
  return evidence;
}

const open = (kind: KnownAnswerKind, patches: Rectangle[]) =>
  openKnownAnswer(knownAnswerSpec(kind, { patches }), language);

/** Thresholds under which almost anything with an effect passes: a blind pack must not even then. */
const lenient = madeCalibration({
  reliance: { slope: 1, offset: 0, threshold: 0.5 },
  region: { threshold: 0, interval: [0, 0] },
});

describe("a pack whose answer depends on one known patch", { timeout: patience }, () => {
  it(`evidence finds the patch in at least 95 % of ${runs} random positions, sizes, crops and aspect ratios`, async () => {
    const random = seededRandom(577_215);
    let found = 0;
    for (let run = 0; run < runs; run++) {
      const { frame, crop, turn, content, geometry } = randomGeometry(random);
      const patch = randomPatch(content, random);
      const mark = inputToFrame(geometry, patch);
      const pack = await open("one-patch", [patch]);
      const evidence = await groundWith(
        pack,
        greyView(markImage({ ...frame, marks: [mark] }, random), { crop, turn }),
        // One sentence: what is scored a changed image is the smallest, and there are some ten thousand.
        { calibration: lenient, text: "There is a mark." },
      );
      await pack.close();
      const hit = evidence.every(({ state, regions: [box] }) => {
        if (state !== "supported" || box === undefined) return false;
        const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
        const centred = x >= mark.x && x <= mark.x + mark.width && y >= mark.y && y <= mark.y + mark.height;
        return centred && overlap(box, mark) >= 0.25;
      });
      if (hit) found += 1;
    }
    expect(found / runs).toBeGreaterThanOrEqual(0.95);
  });

  it("reliance equals the analytic value within 1e-3 nats", async () => {
    const random = seededRandom(693_147);
    for (let run = 0; run < 12; run++) {
      const { frame, crop, turn, content, geometry } = randomGeometry(random);
      const patch = randomPatch(content, random);
      const spec = knownAnswerSpec("one-patch", { patches: [patch] });
      const image = markImage({ ...frame, marks: [inputToFrame(geometry, patch)] }, random);
      const loaded = greyView(image, { crop, turn });
      const pack = await openKnownAnswer(spec, language);
      const view = groundingView(pack, loaded);
      const odds = (mean: number) => analyticLogOdds(spec, [mean]);
      const { pixels } = view.input;
      let shown = 0;
      for (let y = 0; y < content.height; y++) {
        for (let x = 0; x < content.width; x++) shown += pixels[(content.y + y) * side + content.x + x]!;
      }
      const filled = Math.round(shown / (content.width * content.height)) / 255;
      const terms = [
        odds(meanInside(blurredReference(view), patch)),
        odds(filled),
        ...knownAnswerReferences().map(({ image: plain }) =>
          odds(meanInside({ ...plain, channels: 1 }, patch)),
        ),
      ];
      const expected =
        odds(meanInside(view.input, patch)) - terms.reduce((sum, term) => sum + term, 0) / terms.length;

      // The answer to a polar question, and a sentence against its contradiction: both are the log-odds of the mark.
      for (const text of ["Yes. There is a mark.", "There is a mark."]) {
        const [evidence, ...others] = await groundWith(pack, loaded, { calibration: null, text });
        expect(others).toEqual([]);
        expect(Math.abs(evidence!.reliance!.nats - expected)).toBeLessThan(1e-3);
        expect(Math.abs(evidence!.reliance!.alone_nats - expected)).toBeLessThan(1e-3);
        for (const [index, term] of evidence!.terms!.entries()) {
          expect(Math.abs(term.alone_nats - terms[index]!)).toBeLessThan(1e-3);
        }
      }
      await pack.close();
    }
  });
});

describe("a pack that ignores the image", { timeout: patience }, () => {
  it(`at most 5 % of its sentences are supported over ${runs} images`, async () => {
    const random = seededRandom(141_421);
    const pack = await open("blind", []);
    let supported = 0;
    for (let run = 0; run < runs; run++) {
      const { frame, crop, turn, content, geometry } = randomGeometry(random);
      const mark = inputToFrame(geometry, randomPatch(content, random));
      const evidence = await groundWith(
        pack,
        greyView(markImage({ ...frame, marks: [mark] }, random), { crop, turn }),
        { calibration: lenient },
      );
      if (evidence.some(({ state }) => state === "supported")) supported += 1;
    }
    await pack.close();
    expect(supported / runs).toBeLessThanOrEqual(0.05);
  });
});

describe("a pack whose answer depends on two patches", { timeout: patience }, () => {
  it("[GRD-13] both are found, as two boxes", async () => {
    const random = seededRandom(223_606);
    let found = 0;
    const tries = 20;
    for (let run = 0; run < tries; run++) {
      const shift = () => Math.floor(random() * 8);
      const patches = [
        { x: 4 + shift(), y: 4 + shift(), width: 9, height: 9 },
        { x: 40 + shift(), y: 40 + shift(), width: 9, height: 9 },
      ];
      const pack = await open("two-patches", patches);
      const evidence = await groundWith(
        pack,
        greyView(markImage({ width: side, height: side, marks: patches }, random)),
        { calibration: lenient },
      );
      await pack.close();
      const both = evidence.every(({ state, regions }) => {
        const hits = patches.filter((patch) => regions.some((box) => overlap(box, patch) >= 0.2));
        return state === "supported" && regions.length === 2 && hits.length === 2;
      });
      if (both) found += 1;
    }
    expect(found / tries).toBeGreaterThanOrEqual(0.9);
  });
});

/** Area shared, of the area of both together. */
function overlap(a: Rectangle, b: Rectangle): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  return (width * height) / (a.width * a.height + b.width * b.height - width * height);
}
