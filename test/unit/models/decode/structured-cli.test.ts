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
import { markImage } from "../../../fixtures/known-answer/mark-image.ts";
import { isValid } from "./is-valid.ts";

const cli = fileURLToPath(new URL("../../../../dist/host/cli.js", import.meta.url));
const pack = fileURLToPath(new URL("../../../../models/packs/meditron-v-nano/pack.json", import.meta.url));
const folder = await mkdtemp(path.join(tmpdir(), "structured-cli-"));
const schema = {
  type: "object",
  properties: {
    abnormal: { enum: ["yes", "no", "cannot tell"] },
    finding: { type: "string", maxLength: 60 },
    certainty: { type: "number", minimum: 0, maximum: 1 },
  },
  required: ["abnormal", "finding", "certainty"],
};

beforeAll(async () => {
  const { width, height, pixels } = markImage({ width: 96, height: 128, marks: [] }, seededRandom(3));
  await writeFile(
    path.join(folder, "image.png"),
    encode({ width, height, data: pixels, channels: 1, depth: 8 }),
  );
  await writeFile(path.join(folder, "report.json"), JSON.stringify(schema));
  await writeFile(path.join(folder, "pattern.json"), JSON.stringify({ type: "string", pattern: "a" }));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function ask(file: string): Promise<Answer> {
  const words = ["ask", path.join(folder, "image.png"), "--question", "Is there a fracture?"];
  const flags = ["--modality", "CR", "--schema", path.join(folder, file), "--max-tokens", "120"];
  const { stdout } = await promisify(execFile)(process.execPath, [
    cli,
    ...words,
    ...flags,
    "--data-folder",
    path.join(folder, "data"),
    "--json",
  ]);
  return JSON.parse(stdout) as Answer;
}

describe.skipIf(!existsSync(cli) || !existsSync(pack))(
  "meditron ask --schema with the embedded pack",
  { timeout: 240_000 },
  () => {
    it("prints data of the schema", async () => {
      const { answer } = await ask("report.json");
      expect(isValid(schema, answer.structured), answer.text).toBe(true);
      expect(JSON.parse(answer.text)).toEqual(answer.structured);
      expect(answer.stop).toBe("end");
    });

    it("names the keyword that it does not know", async () => {
      await expect(ask("pattern.json")).rejects.toMatchObject({
        code: 4,
        stdout: expect.stringMatching(/not-supported.*pattern/),
      });
    });
  },
);
