import type { PixelFrame, StoredValues } from "../../../core/frame.ts";

/** A grey frame of one row with the given values; members can be replaced. */
export function frameOf(values: StoredValues, changes: Partial<PixelFrame> = {}): PixelFrame {
  const samplesPerPixel = changes.samplesPerPixel ?? 1;
  return {
    rows: 1,
    columns: values.length / samplesPerPixel,
    samplesPerPixel,
    bitsAllocated: values.BYTES_PER_ELEMENT * 8,
    bitsStored: values.BYTES_PER_ELEMENT * 8,
    signed: values instanceof Int16Array || values instanceof Int8Array,
    photometric: "MONOCHROME2",
    values,
    modalityTransform: { type: "identity" },
    voiWindows: [],
    voiTables: [],
    palette: null,
    presentationInverse: false,
    padding: null,
    spacing: null,
    aspect: 1,
    placement: { orientation: null, position: null, patientOrientation: null },
    warnings: [],
    ...changes,
  };
}
