import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EvaluationInput } from "../../../../core/evaluation.ts";
import { bindEvalModel } from "../../../../models/bind-eval-model.ts";
import { evaluate, planEvaluation } from "../../../../models/eval/evaluate.ts";
import { calibrationSchema } from "../../../../models/evidence/calibration.ts";
import type { LoadedPack } from "../../../../models/loaded-pack.ts";
import type { OrtLanguageModel } from "../../../../models/runtime/language-model.ts";
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
    state: null,
    write: false,
    ...given,
  };
  const loaded = (await planEvaluation(input)).map((file) => greyView(data.images.get(path.basename(file))!));
  const reader = pack.readers.borrow();
  const summary = { name: kind, version: "1", digest: kind };
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

describe("eval calibrate", patience, () => {
  it("[GRD-15] sets thresholds that true statements pass and wrong ones do not, and writes them into the pack", async () => {
    const { report } = await run("one-patch", { limit: 12, write: true });
    const calibration = v.parse(calibrationSchema, report["calibration"]);
    expect(calibration.region).toMatchObject({ answers: 12, pairs: 24 });
    expect(calibration.reliance.slope).toBeGreaterThan(0);
    expect(calibration.reliance.threshold).toBeGreaterThanOrEqual(0.5);
    const written = JSON.parse(await readFile(path.join(folder, "pack.json"), "utf8")) as Record<
      string,
      unknown
    >;
    expect(written).toEqual({ name: "known", calibration });
  });

  it("a stopped run goes on with the cases that it kept", async () => {
    const state = path.join(folder, "state.jsonl");
    const first = await run("one-patch", { limit: 6, state });
    const lines = (await readFile(state, "utf8")).trim().split("\n");
    // The last line was cut while it was written; the two before it are lost.
    await writeFile(state, `${lines.slice(0, -3).join("\n")}\n${lines.at(-3)!.slice(0, 20)}`);
    const second = await run("one-patch", { limit: 6, state });
    expect(second.report["calibration"]).toEqual(first.report["calibration"]);
    const added = (await readFile(state, "utf8")).trim().split("\n").length - (lines.length - 2);
    expect(added).toBe(3);
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
