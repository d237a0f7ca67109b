import { readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Figure } from "../../core/model-pack.ts";
import type { Calibration } from "../evidence/calibration.ts";

interface PackFile {
  calibration?: unknown;
  card?: { figures?: Figure[] };
}

export async function writeCalibration(folder: string, calibration: Calibration): Promise<void> {
  await changePack(folder, (pack) => ({ ...pack, calibration }));
}

/** Figures of the card by name: those measured again take the place of the old ones. */
export async function writeFigures(folder: string, figures: readonly Figure[]): Promise<void> {
  await changePack(folder, (pack) => {
    const kept = (pack.card?.figures ?? []).filter((old) => figures.every(({ name }) => name !== old.name));
    return { ...pack, card: { ...pack.card, figures: [...kept, ...figures] } };
  });
}

/** Whole or not at all: a pack.json that was cut would lose the pack. */
async function changePack(folder: string, change: (pack: PackFile) => PackFile): Promise<void> {
  const file = path.join(folder, "pack.json");
  const next = change(JSON.parse(await readFile(file, "utf8")) as PackFile);
  await writeFile(`${file}.part`, `${JSON.stringify(next, null, 2)}\n`);
  await rename(`${file}.part`, file);
}
