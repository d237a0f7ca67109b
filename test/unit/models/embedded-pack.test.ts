import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PixelFrame } from "../../../core/frame.ts";
import { bindQuestion, promptFor } from "../../../models/bind-question.ts";
import type { ContinuationScore } from "../../../models/evidence/model-access.ts";
import { prepareView } from "../../../models/image/prepare-view.ts";
import type { LoadedPack } from "../../../models/loaded-pack.ts";
import { openPack } from "../../../models/open-pack.ts";
import { findPacks } from "../../../models/pack/read-pack.ts";
import { openCRuntime } from "../../../models/runtime/runtime.ts";
import { cpu, never } from "./tiny-model.ts";
import { tinyRequest } from "./tiny-pack.ts";

/** What torch computed with the weights that were exported (models/training/parity.py). */
interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

type ParityCase = (Drawing | { readonly reference: string }) & {
  readonly question: string;
  readonly offset: readonly [number, number];
  readonly fitted_sum: number;
  readonly fitted_row_224: readonly number[];
  readonly prompt_ids: readonly number[];
  /** Mean, norm and first six values of each image token. */
  readonly embeddings: readonly (readonly number[])[];
  readonly answer: string;
  readonly log_probabilities: readonly number[];
  readonly yes_minus_no: number;
};

const packs =
  process.env["MEDITRON_TEST_PACKS"] ?? fileURLToPath(new URL("../../../models/packs", import.meta.url));
const fixture =
  process.env["MEDITRON_TEST_PARITY"] ??
  fileURLToPath(new URL("../../fixtures/nano-parity.json", import.meta.url));
const present = existsSync(path.join(packs, "meditron-v-nano", "pack.json"));
const cases: readonly ParityCase[] =
  present && existsSync(fixture)
    ? (JSON.parse(readFileSync(fixture, "utf8")) as { cases: ParityCase[] }).cases
    : [];

/** The drawing of models/training/parity.py. */
function drawn({ width, height, a, b, c }: Drawing): PixelFrame {
  const triangle = (n: number) => Math.min(255, 2 * Math.abs((((n % 256) + 256) % 256) - 128));
  const values = Uint8Array.from({ length: width * height }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    return (triangle(a * x + b * y) + triangle(c * y + 40)) >> 1;
  });
  const { frame } = tinyRequest().views[0]!;
  return { ...frame, rows: height, columns: width, values };
}

function asked({ question }: Pick<ParityCase, "question">) {
  const [header, text] = question.split("\n");
  const [, modality, bodyPart] = /^Modality: (\w+)\. Body part: (\w+)\.$/.exec(header!)!;
  return { question: text!, choices: null, facts: { modality: modality!, bodyPart: bodyPart!, view: null } };
}

const total = (score: ContinuationScore) => score.reduce((sum, token) => sum + token.logProbability, 0);

describe.skipIf(!present)("the embedded pack against the model that was trained", () => {
  let pack: LoadedPack;
  beforeAll(async () => {
    const found = await findPacks([packs], never);
    const installed = found.find(({ summary }) => summary.embedded)!;
    pack = await openPack(installed, { name: "cpu", ...cpu, runtime: await openCRuntime() }, never);
  });
  afterAll(() => pack.dispose());

  const prepared = (drawing: Drawing) =>
    prepareView(tinyRequest().views[0]!.view, drawn(drawing), pack.image);
  const input = (one: Drawing | { readonly reference: string }) =>
    "reference" in one
      ? pack.references.images.find(({ name }) => name === one.reference)!.input
      : prepared(one).input;

  test.each(cases)("prepares the image and the prompt as in training: $question", async (one) => {
    if (!("reference" in one)) {
      const { x, y } = prepared(one).geometry.content;
      expect([x, y]).toEqual(one.offset);
    }
    const { pixels } = input(one);
    expect(pixels.reduce((sum, value) => sum + value, 0)).toBe(one.fitted_sum);
    const row = pixels.subarray(224 * 448, 225 * 448).filter((_, x) => x % 16 === 0);
    expect([...row]).toEqual(one.fitted_row_224);
    const images = await pack.encoder.encode([input(one)], never);
    const ids = promptFor(pack, asked(one), images).flatMap((part) =>
      part.type === "text" ? part.ids : Array.from({ length: part.image.tokens }, () => -1),
    );
    expect(ids).toEqual(one.prompt_ids);
  });

  test.each(cases)("sees what the trained encoder sees: $question", async (one) => {
    const [image] = await pack.encoder.encode([input(one)], never);
    const { tokens, hidden, values } = image!;
    expect(tokens).toBe(one.embeddings.length);
    for (const [index, [mean, norm, ...first]] of one.embeddings.entries()) {
      const row = values.subarray(index * hidden, (index + 1) * hidden);
      const found = Math.hypot(...row);
      expect(Math.abs(found - norm!) / norm!).toBeLessThan(0.01);
      expect(row.reduce((sum, value) => sum + value, 0) / hidden).toBeCloseTo(mean!, 2);
      for (const [at, value] of first.entries())
        expect(Math.abs(row[at]! - value)).toBeLessThan(0.02 * norm!);
    }
  });

  test.each(cases)("says what the trained model says, up to quantisation: $question", async (one) => {
    const reader = pack.readers.borrow();
    const model = bindQuestion(pack, asked(one), reader);
    const images = await model.encode([input(one)], never);
    const continuations = [one.answer, "Yes.", "No."].map((text) => ({ prefix: "", text }));
    const [scores] = await model.score({ alternatives: [images], continuations }, never);
    const [answer, yes, no] = scores!;
    // The end-of-turn token is in the fixture's list and not in a score.
    const expected = one.log_probabilities.slice(0, answer!.length).reduce((sum, value) => sum + value, 0);
    expect(Math.abs(total(answer!) - expected) / answer!.length).toBeLessThan(0.25);
    // Where neither is an answer, both are far out in the tail, and quantisation moves them by more.
    const tolerance = /^(?:Yes|No)\b/.test(one.answer) ? 1.5 : 4;
    expect(Math.abs(total(yes!) - total(no!) - one.yes_minus_no)).toBeLessThan(tolerance);
    await pack.readers.giveBack(reader);
  });

  test("scores many texts at once as it scores each alone, within 1e-3 nats", async () => {
    const one = {
      width: 320,
      height: 416,
      a: 3,
      b: 1,
      c: 2,
      question: "Modality: CR. Body part: HAND.\nIs there a fracture?",
    };
    const images = await pack.encoder.encode([input(one)], never);
    const continuations = [
      { prefix: "", text: "Yes." },
      { prefix: "", text: "No." },
      { prefix: "", text: "There is a fracture." },
      { prefix: "", text: "There is no fracture." },
      { prefix: "Yes.", text: " There is a fracture." },
      { prefix: "Yes.", text: " There is no fracture." },
    ];
    const reader = pack.readers.borrow();
    const model = bindQuestion(pack, asked(one), reader);
    const [together] = await model.score({ alternatives: [images], continuations }, never);
    for (const [index, continuation] of continuations.entries()) {
      const fresh = pack.readers.borrow();
      const alone = bindQuestion(pack, asked(one), fresh);
      const [[score]] = (await alone.score(
        { alternatives: [images], continuations: [continuation] },
        never,
      )) as [[ContinuationScore]];
      expect(score.map(({ start, end }) => [start, end])).toEqual(
        together![index]!.map(({ start, end }) => [start, end]),
      );
      for (const [at, { logProbability }] of score.entries()) {
        expect(Math.abs(logProbability - together![index]![at]!.logProbability)).toBeLessThan(1e-3);
      }
      await pack.readers.giveBack(fresh);
    }
    await pack.readers.giveBack(reader);
  });
});
