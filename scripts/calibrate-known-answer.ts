import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { knownAnswerData, writeKnownAnswerData } from "../test/fixtures/known-answer/known-answer-data.ts";
import { writeKnownAnswerPack } from "../test/fixtures/known-answer/write-known-answer-pack.ts";

/**
 * node scripts/run-ts.mjs scripts/calibrate-known-answer.ts: makes the calibration of the one-patch pack again, with
 * the built CLI, and writes it into its fixture. For when the search changes its name.
 */
const patch = { x: 40, y: 14, width: 10, height: 10 };
const fixture = path.resolve("test/fixtures/known-answer/known-answer-calibration.ts");
const folder = await mkdtemp(path.join(tmpdir(), "calibrate-known-answer-"));
try {
  const packs = path.join(folder, "packs");
  const data = path.join(folder, "data");
  await writeKnownAnswerPack(packs, "one-patch", { name: "one-patch", patches: [patch], calibration: null });
  await writeKnownAnswerData(data, knownAnswerData(patch, 60));
  const args = [
    "dist/host/cli.js",
    "eval",
    "calibrate",
    "--data",
    data,
    "--pack",
    "one-patch",
    "--write",
    "--json",
  ];
  const env = { ...process.env, MEDITRON_PACK_FOLDERS: packs, MEDITRON_DATA: path.join(folder, "state") };
  execFileSync(process.execPath, args, { env, stdio: ["ignore", "inherit", "inherit"] });
  const { calibration } = JSON.parse(await readFile(path.join(packs, "one-patch", "pack.json"), "utf8")) as {
    calibration: { command: string };
  };
  calibration.command = "meditron eval calibrate --data DATA --pack one-patch";
  const source = await readFile(fixture, "utf8");
  const start = source.indexOf("= {", source.indexOf("knownAnswerCalibration")) + 2;
  await writeFile(fixture, `${source.slice(0, start)}${JSON.stringify(calibration)};\n`);
  console.log("Written. Format it with: npx prettier --write test/fixtures/known-answer");
} finally {
  await rm(folder, { recursive: true, force: true });
}
