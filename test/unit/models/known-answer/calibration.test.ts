import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EvaluationInput } from "../../../../core/evaluation.ts";
import { bindEvalModel } from "../../../../models/bind-eval-model.ts";
import { planCalibration } from "../../../../models/eval/calibrate.ts";
import { readDataSets } from "../../../../models/eval/data-sets.ts";
import { evaluate, planEvaluation } from "../../../../models/eval/evaluate.ts";
import { writeCalibration } from "../../../../models/eval/pack-file.ts";
import { calibrationFault, calibrationSchema } from "../../../../models/evidence/calibration.ts";
import type { LoadedPack } from "../../../../models/loaded-pack.ts";
import type { OrtLanguageModel } from "../../../../models/runtime/language-model.ts";
import { knownAnswerCalibration } from "../../../fixtures/known-answer/known-answer-calibration.ts";
import { knownAnswerData, writeKnownAnswerData } from "../../../fixtures/known-answer/known-answer-data.ts";
import { greyView } from "../../../fixtures/known-answer/known-answer-frame.ts";
import { knownAnswerSpec } from "../../../fixtures/known-answer/known-answer-spec.ts";
import {
  openKnownAnswer,
  openKnownAnswerLanguage,
} from "../../../fixtures/known-answer/open-known-answer.ts";

const patch = { x: 40, y: 14, width: 10, height: 10 };
const signal = new AbortController().signal;
const patience = { timeout: 240_000 };

let language: OrtLanguageModel;
let folder: string;
const data = knownAnswerData(patch, 36);

beforeAll(async () => {
  language = await openKnownAnswerLanguage(knownAnswerSpec("blind", { patches: [] }));
  folder = await mkdtemp(path.join(tmpdir(), "known-answer-"));
  await writeKnownAnswerData(folder, data);
  await writeFile(path.join(folder, "pack.json"), JSON.stringify({ name: "known" }));
});
afterAll(async () => {
  await language.dispose();
  await rm(folder, { recursive: true });
});

async function run(kind: "one-patch" | "blind", given: Partial<EvaluationInput>) {
  const pack = await openKnownAnswer(
    knownAnswerSpec(kind, { patches: kind === "blind" ? [] : [patch] }),
    language,
  );
  const input: EvaluationInput = {
    kind: "calibrate",
    pack: null,
    data: folder,
    limit: null,
    state: [],
    shard: null,
    write: false,
    ...given,
  };
  const loaded = (await planEvaluation(input)).map((file) => greyView(data.images.get(path.basename(file))!));
  const reader = pack.readers.borrow();
  const hands = { name: "hands", modalities: ["CR"], bodyParts: ["HAND"], views: [] };
  const summary = { name: kind, version: "1", digest: kind, intendedFor: [hands] };
  const model = bindEvalModel({ ...pack, folder, summary } as unknown as LoadedPack, reader);
  const texts: string[] = [];
  let report: Record<string, unknown> = {};
  try {
    for await (const event of evaluate({ input, model, loaded }, signal)) {
      if (event.type === "done") report = event.report;
      else texts.push(event.text);
    }
  } finally {
    await pack.readers.giveBack(reader);
    await pack.close();
  }
  return { report, texts, loaded };
}

async function linesOf(file: string): Promise<string[]> {
  return (await readFile(file, "utf8")).trim().split("\n");
}

describe("eval calibrate", patience, () => {
  it("sets thresholds that true statements pass and wrong ones do not", async () => {
    const { report } = await run("one-patch", { limit: 12 });
    const calibration = v.parse(calibrationSchema, report["calibration"]);
    expect(calibration.region).toMatchObject({ answers: 12, pairs: 12 });
    expect(calibration.reliance.slope).toBeGreaterThan(0);
    expect(calibration.reliance.threshold).toBeGreaterThanOrEqual(0.5);
    // Too few cases for thresholds of a kind of image.
    expect(calibration.by_kind).toEqual([]);
  });

  it("[GRD-15] a null of fewer than 200 answers is not written, and is refused before anything is measured", async () => {
    const before = await readFile(path.join(folder, "pack.json"), "utf8");
    await expect(run("one-patch", { limit: 12, write: true })).rejects.toMatchObject({ code: "bad-input" });
    const small = { ...knownAnswerCalibration.region, answers: 199 };
    await expect(
      writeCalibration(folder, { ...knownAnswerCalibration, region: small }),
    ).rejects.toMatchObject({ code: "bad-input" });
    expect(await readFile(path.join(folder, "pack.json"), "utf8")).toBe(before);
  });

  it("parts that ran beside each other make the calibration of a whole run", async () => {
    const whole = await run("one-patch", { limit: 7 });
    const parts = [1, 2].map((number) => path.join(folder, `part-${number}.jsonl`));
    for (const [index, file] of parts.entries()) {
      const { report } = await run("one-patch", {
        limit: 7,
        state: [file],
        shard: { number: index + 1, count: 2 },
      });
      expect(report["calibration"]).toBeUndefined();
    }
    const lines = async () => (await Promise.all(parts.map(linesOf))).map(({ length }) => length);
    const before = await lines();
    const joined = await run("one-patch", { limit: 7, state: parts });
    expect(joined.report["calibration"]).toEqual(whole.report["calibration"]);
    // Nothing was measured again.
    expect(await lines()).toEqual(before);
    expect(Math.abs(before[0]! - before[1]!)).toBeLessThanOrEqual(3);
  });

  it("a whole null is written into the pack, also where the card has changed since its cases were kept", async () => {
    const kept = path.join(folder, "kept.jsonl");
    await run("one-patch", { limit: 1, state: [kept], shard: { number: 1, count: 1 } });
    const [key] = (JSON.parse((await linesOf(kept))[0]!) as { key: string }).key.split("|reliance/");
    const { reliance, region, polar } = planCalibration(await readDataSets(folder), null);
    const cases = [
      ...reliance.map((pair) => [`reliance/${pair.key}`, [pair.kind === "true" ? 5 : 0]]),
      ...region.map((pair, index) => [`null/${pair.key}`, index / 1000]),
      ...polar.map((one) => [`polar/${one.image.set}/${one.image.file}/${one.finding}`, one.truth ? 2 : -2]),
    ];
    await writeFile(
      kept,
      cases.map(([name, value]) => JSON.stringify({ key: `${key}|${name}`, value })).join("\n"),
    );
    const card = { figures: [] };
    await writeFile(path.join(folder, "pack.json"), JSON.stringify({ name: "known", card }));
    const { report } = await run("one-patch", { state: [kept], write: true });
    const calibration = v.parse(calibrationSchema, report["calibration"]);
    expect(calibration.region).toMatchObject({ answers: 200, pairs: 200 });
    expect(calibration.region.threshold).toBeCloseTo(0.189, 2);
    expect(calibrationFault(calibration)).toBeNull();
    const { reliance: onReliance, region: onRegion } = calibration;
    expect(calibration.by_kind).toEqual([{ kind: "hands", reliance: onReliance, region: onRegion }]);
    const written = JSON.parse(await readFile(path.join(folder, "pack.json"), "utf8")) as object;
    expect(written).toEqual({ name: "known", card, calibration });
  });

  it("a stopped run goes on with the cases that it kept", async () => {
    const state = path.join(folder, "state.jsonl");
    const first = await run("one-patch", { limit: 6, state: [state] });
    const lines = await linesOf(state);
    // The last line was cut while it was written; the two before it are lost.
    await writeFile(state, `${lines.slice(0, -3).join("\n")}\n${lines.at(-3)!.slice(0, 20)}`);
    const second = await run("one-patch", { limit: 6, state: [state] });
    expect(second.report["calibration"]).toEqual(first.report["calibration"]);
    expect((await linesOf(state)).length - (lines.length - 2)).toBe(3);
  });

  it("a pack that ignores the image gets thresholds that nothing passes", async () => {
    const { report } = await run("blind", { limit: 6 });
    const { reliance, region } = v.parse(calibrationSchema, report["calibration"]);
    const blindReliance = 1 / (1 + Math.exp(-reliance.offset));
    expect(blindReliance < reliance.threshold || region.threshold > 0).toBe(true);
  });
});

describe("eval timing", patience, () => {
  it("tells when progress, reliance, the coarse map and the end came, in this order", async () => {
    const { report } = await run("one-patch", { kind: "timing", limit: 2 });
    const figures = report["figures"] as Record<string, { median: number }>;
    const order = ["first_progress_ms", "reliance_ms", "coarse_map_ms", "final_ms"].map(
      (name) => figures[name]!.median,
    );
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(figures["evaluations"]!.median).toBeGreaterThan(15);
  });
});
