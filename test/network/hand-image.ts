import { element, file, imageElements } from "../fixtures/dicom/build-dicom.ts";

export const handStudy = "1.2.826.0.1.3680043.8.498.1";

/** A radiograph that the embedded pack answers about. */
export function handImage(): Uint8Array {
  const [rows, columns] = [256, 192];
  const pixels = Uint8Array.from({ length: rows * columns }, (_, at) => {
    const [x, y] = [at % columns, Math.floor(at / columns)];
    return Math.hypot(x - columns / 2, y - rows / 2) < 60 ? 180 - ((x * 7 + y * 3) % 40) : 12;
  });
  const elements = imageElements({ rows, columns }, [
    element(0x00080018, "UI", `${handStudy}.1.1`),
    element(0x00080060, "CS", "CR"),
    element(0x00100020, "LO", "NETWORK-1"),
    element(0x00180015, "CS", "HAND"),
    element(0x0020000d, "UI", handStudy),
    element(0x0020000e, "UI", `${handStudy}.1`),
    element(0x00281050, "DS", "128"),
    element(0x00281051, "DS", "256"),
    element(0x7fe00010, "OB", pixels),
  ]);
  return file(elements, "1.2.840.10008.1.2.1");
}
