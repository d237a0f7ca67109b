import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Answer } from "../../../../core/question.ts";
import { questionSchema } from "../../../../core/question.ts";
import * as v from "valibot";
import { createInferenceService } from "../../../../models/inference-service.ts";
import { runtimeOpeners } from "../../../../models/runtime/runtime.ts";
import { searchName } from "../../../../models/evidence/map.ts";
import { seededRandom } from "../../../../models/evidence/noise.ts";
import { knownAnswerCalibration } from "../../../fixtures/known-answer/known-answer-calibration.ts";
import { greyView } from "../../../fixtures/known-answer/known-answer-frame.ts";
import { knownAnswerQuestion } from "../../../fixtures/known-answer/known-answer-spec.ts";
import { markImage } from "../../../fixtures/known-answer/mark-image.ts";
import { writeKnownAnswerPack } from "../../../fixtures/known-answer/write-known-answer-pack.ts";

const patch = { x: 40, y: 14, width: 10, height: 10 };
const signal = new AbortController().signal;
const service = createInferenceService(runtimeOpeners(() => undefined));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "known-answer-"));
  await writeKnownAnswerPack(folder, "one-patch", { name: "one-patch", patches: [patch], calibration: null });
  await writeKnownAnswerPack(folder, "blind", { name: "blind", patches: [], calibration: null });
  await writeKnownAnswerPack(folder, "one-patch", {
    name: "calibrated",
    patches: [patch],
    calibration: knownAnswerCalibration,
  });
  await service.configure({ packFolders: [folder], provider: "cpu", threads: 1, stateFolder: null }, signal);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function ask(pack: string, marked: boolean): Promise<Answer> {
  const image = markImage({ width: 64, height: 64, marks: marked ? [patch] : [] }, seededRandom(6));
  const loaded = greyView(image);
  const question = v.parse(questionSchema, {
    question: knownAnswerQuestion,
    views: [loaded.view],
    pack,
    groundBudgetSeconds: 3600,
  });
  for await (const event of service.answer({ id: "a", question, views: [loaded] }, signal)) {
    if (event.type === "done") return event.answer;
  }
  throw new Error("no done event");
}

describe("a known-answer pack on disk", () => {
  it("is answered by what is in its patch, and the region is the patch", async () => {
    const answer = await ask("one-patch", true);
    expect(answer.answer.text).toBe("Yes. There is a mark.");
    expect(answer.answer.stop).toBe("end");
    for (const sentence of answer.answer.sentences) {
      expect(sentence.state).toBe("uncalibrated");
      const [box] = sentence.regions;
      expect(Math.abs(box!.x + box!.width / 2 - 45)).toBeLessThan(5);
      expect(Math.abs(box!.y + box!.height / 2 - 19)).toBeLessThan(5);
    }
    expect(answer.timing.evaluations).toBeGreaterThan(20);
  });

  it("[GRD-16] says that its sentences rest on the patch once it is calibrated", async () => {
    expect(knownAnswerCalibration.search).toBe(searchName);
    const { answer } = await ask("calibrated", true);
    for (const sentence of answer.sentences) {
      expect(sentence.state).toBe("supported");
      expect(sentence.probability).toBeGreaterThan(0.9);
      expect(sentence.region_effect).toBeGreaterThan(knownAnswerCalibration.region.threshold);
    }
  });

  it("[GRD-3] says no without a box where there is nothing", async () => {
    const { answer } = await ask("one-patch", false);
    expect(answer.text).toBe("No. There is no mark.");
    for (const sentence of answer.sentences) expect(sentence).toMatchObject({ state: "absent", regions: [] });
  });

  it("[GRD-11] a blind pack's search stops after the coarse windows, and nothing is boxed", async () => {
    const { answer, timing } = await ask("blind", true);
    expect(answer.text).toBe("Yes. There is a mark.");
    for (const sentence of answer.sentences)
      expect(sentence).toMatchObject({ state: "uncalibrated", regions: [] });
    expect(timing.evaluations).toBe(1 + 2 + 4 + 13);
  });
});
