import { createHash } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Figure } from "../../core/model-pack.ts";
import { appError } from "../../core/errors.ts";
import { type Calibration, calibrationFault } from "../evidence/calibration.ts";

interface PackFile {
  calibration?: unknown;
  card?: { figures?: Figure[] };
}

/** @throws bad-input where the app would not take the calibration */
export async function writeCalibration(folder: string, calibration: Calibration): Promise<void> {
  const fault = calibrationFault(calibration);
  if (fault !== null) throw appError("bad-input", `Not written. ${fault}`);
  await changePack(folder, (pack) => ({ ...pack, calibration }));
}

/** Figures of the card by name: those measured again take the place of the old ones. */
export async function writeFigures(folder: string, figures: readonly Figure[]): Promise<void> {
  await changePack(folder, (pack) => {
    const kept = (pack.card?.figures ?? []).filter((old) => figures.every(({ name }) => name !== old.name));
    return { ...pack, card: { ...pack.card, figures: [...kept, ...figures] } };
  });
}

/** Of all that measurements of a pack depend on: its pack.json (files, base, settings) without what they write. */
export async function measuredDigest(folder: string): Promise<string> {
  const { calibration: _, card: __, ...rest } = await readPackFile(folder);
  return createHash("sha256").update(JSON.stringify(rest)).digest("hex");
}

/** Whole or not at all: a pack.json that was cut would lose the pack. */
async function changePack(folder: string, change: (pack: PackFile) => PackFile): Promise<void> {
  const file = path.join(folder, "pack.json");
  const next = change(await readPackFile(folder));
  await writeFile(`${file}.part`, `${JSON.stringify(next, null, 2)}\n`);
  await rename(`${file}.part`, file);
}

async function readPackFile(folder: string): Promise<PackFile> {
  return JSON.parse(await readFile(path.join(folder, "pack.json"), "utf8")) as PackFile;
}
