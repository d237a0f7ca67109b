import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import { throwIfAborted } from "../../core/errors.ts";
import { drawBreastUltrasound } from "./breast-ultrasound.ts";
import { drawChestRadiograph } from "./chest-radiograph.ts";
import { drawHandRadiograph } from "./hand-radiograph.ts";
import { breastObject, chestObject, ctObject, handObject } from "./phantom-objects.ts";
import { drawThoraxCt } from "./thorax-ct.ts";
import { writeObject, type PhantomObject } from "./write-object.ts";

/**
 * Writes the phantom studies into `folder`: a chest radiograph with a nodule, a CT of 64 slices with a lesion, a
 * hand with a broken metacarpal, an ultrasound picture of a breast with a mass. The same seed gives the same files,
 * identifiers included, so that a second import finds duplicates.
 */
export async function writeSample(
  input: { folder: string; seed: number },
  signal: AbortSignal,
): Promise<{ files: string[] }> {
  await mkdir(input.folder, { recursive: true });
  const files: string[] = [];
  for (const object of phantomObjects(input.seed)) {
    // Drawing takes seconds; the process must go on answering in between.
    await setImmediate();
    throwIfAborted(signal);
    const file = path.join(input.folder, `${object.name}.dcm`);
    await writeFile(file, writeObject(object), { signal });
    files.push(file);
  }
  return { files };
}

function* phantomObjects(seed: number): Generator<PhantomObject, void, void> {
  yield chestObject(drawChestRadiograph(seed), seed);
  yield handObject(drawHandRadiograph(seed), seed);
  yield breastObject(drawBreastUltrasound(seed), seed);
  let slice = 0;
  for (const values of drawThoraxCt(seed)) {
    yield ctObject({ values, slice }, seed);
    slice += 1;
  }
}
