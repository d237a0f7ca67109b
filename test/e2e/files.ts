import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { element, type Element, file, imageElements } from "../fixtures/dicom/build-dicom.ts";

export interface MadeFile {
  /** The last number of the SOP Instance UID. */
  readonly instance: number;
  readonly study?: number;
  /** Patient's Name, or its octets in another character set. */
  readonly name?: string | Uint8Array;
  readonly id?: string;
  /** Fills every other column; the rest stays black. */
  readonly value?: number;
  readonly frames?: number;
  readonly side?: number;
  readonly more?: readonly Element[];
}

/** A DICOM file of stripes: enough to be told apart by eye and by digest. */
export function madeFile(made: MadeFile): Buffer {
  const {
    instance,
    study = 7,
    name = "Kowalska^Anna",
    id = "P-1",
    value = 200,
    frames = 1,
    side = 64,
  } = made;
  const pixels = new Uint8Array(side * side * frames).map((_, at) =>
    (at % side) % 16 < 8 ? value : instance,
  );
  const elements = imageElements({ rows: side, columns: side, frames }, [
    element(0x00080018, "UI", `1.2.3.${study}.1.${instance}`),
    element(0x00080020, "DA", "20261102"),
    element(0x00080060, "CS", "CT"),
    element(0x00081030, "LO", "CT Thorax"),
    element(0x0008103e, "LO", "Lung"),
    element(0x00100010, "PN", name),
    element(0x00100020, "LO", id),
    element(0x0020000d, "UI", `1.2.3.${study}`),
    element(0x0020000e, "UI", `1.2.3.${study}.1`),
    element(0x00200011, "IS", "3"),
    element(0x00200013, "IS", String(instance)),
    element(0x7fe00010, "OB", pixels),
    ...(made.more ?? []),
  ]);
  return Buffer.from(file(elements, "1.2.840.10008.1.2.1"));
}

export async function writeInto(folder: string, name: string, content: Uint8Array): Promise<string> {
  const target = path.join(folder, name);
  await mkdir(path.dirname(target), { recursive: true });
  await writeFile(target, content);
  return target;
}
