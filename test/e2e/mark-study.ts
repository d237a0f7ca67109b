import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Rectangle } from "../../core/view.ts";
import { seededRandom } from "../../models/evidence/noise.ts";
import { element, file, imageElements } from "../fixtures/dicom/build-dicom.ts";
import { madeCalibration } from "../fixtures/known-answer/made-calibration.ts";
import { markImage } from "../fixtures/known-answer/mark-image.ts";
import { writeKnownAnswerPack } from "../fixtures/known-answer/write-known-answer-pack.ts";
import { runCli } from "./host.ts";

/**
 * An image with one bright mark, and a pack whose answer depends, by construction, on the mean of the patch under
 * that mark and on nothing else: the evidence on the screen has a place where it must be.
 */
export const frameSize = { width: 256, height: 192 };
/** Pixels of the stored frame. */
export const mark: Rectangle = { x: 144, y: 32, width: 56, height: 48 };
/** The same in the pack's 64 x 64 input: a quarter of the size, 8 rows of padding above. */
const patch: Rectangle = { x: 36, y: 16, width: 14, height: 12 };

export async function importMark(
  { folder, env }: { folder: string; env: NodeJS.ProcessEnv },
  calibrated: boolean,
): Promise<void> {
  const data = env["MEDITRON_DATA"]!;
  await runCli(["import", await makeMarkFile(folder, { patient: "Mark^Made", id: "MARK-1" })], env);

  const packs = path.join(data, "packs");
  await mkdir(packs, { recursive: true });
  await writeKnownAnswerPack(packs, "one-patch", {
    name: "known-answer",
    patches: [patch],
    calibration: calibrated ? calibration : null,
  });
  await writeFile(path.join(data, "settings.json"), JSON.stringify({ pack: "known-answer" }));
}

/** The image as a DICOM file of a patient; the number at the end of the id makes the study another one. */
export async function makeMarkFile(
  folder: string,
  { patient, id }: { patient: string; id: string },
): Promise<string> {
  const picture = markImage({ ...frameSize, marks: [mark] }, seededRandom(5));
  const dicom = path.join(folder, `${id}.dcm`);
  const number = /\d+$/.exec(id)?.[0] ?? "0";
  const shape = { rows: frameSize.height, columns: frameSize.width };
  const elements = imageElements(shape, [
    element(0x00080018, "UI", `1.2.3.4.5.${number}`),
    element(0x00080060, "CS", "CR"),
    element(0x00100010, "PN", patient),
    element(0x00100020, "LO", id),
    element(0x00180015, "CS", "HAND"),
    element(0x0020000d, "UI", `1.2.3.${number}`),
    element(0x0020000e, "UI", `1.2.3.4.${number}`),
    element(0x00281050, "DS", "128"),
    element(0x00281051, "DS", "256"),
    element(0x7fe00010, "OB", picture.pixels),
  ]);
  await writeFile(dicom, file(elements, "1.2.840.10008.1.2.1"));
  return dicom;
}

/** Thresholds that the mark passes by far and that nothing else in the image comes near. */
const calibration = madeCalibration({
  reliance: { slope: 1, offset: 0, threshold: 0.7 },
  region: { threshold: 1, interval: [0.9, 1.1] },
});
