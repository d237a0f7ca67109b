import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { encode } from "fast-png";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Answer } from "../../../../core/question.ts";
import { seededRandom } from "../../../../models/evidence/noise.ts";
import { knownAnswerQuestion } from "../../../fixtures/known-answer/known-answer-spec.ts";
import { markImage } from "../../../fixtures/known-answer/mark-image.ts";
import { writeKnownAnswerPack } from "../../../fixtures/known-answer/write-known-answer-pack.ts";

const cli = fileURLToPath(new URL("../../../../dist/host/cli.js", import.meta.url));
const patch = { x: 40, y: 14, width: 10, height: 10 };
/** The image is twice as large as the model input, and the mark with it. */
const mark = { x: 80, y: 28, width: 20, height: 20 };
const folder = await mkdtemp(path.join(tmpdir(), "known-answer-cli-"));

beforeAll(async () => {
  await writeKnownAnswerPack(folder, "one-patch", { name: "one-patch", patches: [patch], calibration: null });
  await writeKnownAnswerPack(folder, "blind", { name: "blind", patches: [], calibration: null });
  const { width, height, pixels } = markImage({ width: 128, height: 128, marks: [mark] }, seededRandom(12));
  await writeFile(
    path.join(folder, "mark.png"),
    encode({ width, height, data: pixels, channels: 1, depth: 8 }),
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function ask(pack: string, ...further: string[]): Promise<Answer> {
  const words = ["ask", path.join(folder, "mark.png"), "--question", knownAnswerQuestion, "--modality", "CR"];
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [cli, ...words, "--pack", pack, "--data-folder", path.join(folder, "data"), "--json", ...further],
    { env: { ...process.env, MEDITRON_PACK_FOLDERS: folder } },
  );
  return JSON.parse(stdout) as Answer;
}

describe.skipIf(!existsSync(cli))("meditron ask with a known-answer pack", { timeout: 240_000 }, () => {
  it("boxes the mark in pixels of the file", async () => {
    const { answer, timing } = await ask("one-patch", "--ground-budget", "600");
    expect(answer.text).toBe("Yes. There is a mark.");
    for (const { regions, maps } of answer.sentences) {
      const [box] = regions;
      expect(Math.abs(box!.x + box!.width / 2 - 90)).toBeLessThan(10);
      expect(Math.abs(box!.y + box!.height / 2 - 38)).toBeLessThan(10);
      expect(maps[0]).toMatchObject({ view: 0 });
    }
    expect(timing.evaluations).toBeGreaterThan(20);
  });

  it("boxes nothing where the answer does not depend on the image", async () => {
    const { answer } = await ask("blind", "--ground-budget", "600");
    for (const { regions, state } of answer.sentences)
      expect({ regions, state }).toEqual({ regions: [], state: "uncalibrated" });
  });

  it("[GRD-21] leaves the map out where there is no time for it", async () => {
    const { answer, warnings } = await ask("one-patch", "--ground-budget", "0");
    for (const { reliance, maps } of answer.sentences) {
      expect(reliance!.alone_nats).toBeGreaterThan(1);
      expect(maps).toEqual([]);
    }
    expect(warnings.join(" ")).toContain("map was not computed");
  });
});
