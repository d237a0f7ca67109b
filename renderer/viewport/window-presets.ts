import type { PixelFrame } from "../../core/frame.ts";
import type { ViewVoi } from "../../core/view.ts";

export interface WindowPreset {
  readonly key: string;
  readonly label: string;
  readonly voi: ViewVoi | null;
}

/** Customary CT windows, Hounsfield units. */
const ctPresets = [
  { label: "Soft tissue", center: 40, width: 400 },
  { label: "Lung", center: -600, width: 1500 },
  { label: "Bone", center: 480, width: 2500 },
  { label: "Brain", center: 40, width: 80 },
  { label: "Liver", center: 60, width: 160 },
  { label: "Mediastinum", center: 50, width: 350 },
] as const;

/** The header's own windows and tables first, then, for CT in Hounsfield units, the customary ones. */
export function windowPresets(frame: PixelFrame, modality: string | null): readonly WindowPreset[] {
  const presets: WindowPreset[] = [{ key: "default", label: "Default", voi: null }];
  frame.voiWindows.forEach((window, index) => {
    if (index === 0) return;
    const { center, width } = window;
    presets.push({
      key: `window-${index}`,
      label: ofFile(window.explanation) ?? `Window ${index + 1} of the file`,
      voi: { kind: "window", center, width, function: window.function },
    });
  });
  frame.voiTables.forEach((table, index) => {
    presets.push({
      key: `lut-${index}`,
      label: ofFile(table.explanation) ?? `Table ${index + 1} of the file`,
      voi: { kind: "lut", index },
    });
  });
  const hounsfield = modality === "CT" && frame.modalityTransform.type === "rescale";
  if (hounsfield) {
    for (const { label, center, width } of ctPresets) {
      const inFile = frame.voiWindows.some((window) => window.center === center && window.width === width);
      if (inFile) continue;
      presets.push({ key: label, label, voi: { kind: "window", center, width, function: "LINEAR" } });
    }
  }
  presets.push({ key: "full", label: "Full range", voi: { kind: "none" } });
  return presets;
}

/** "SOFT TISSUE" reads "Soft tissue (file)": headers shout. */
function ofFile(explanation: string): string | null {
  const text = explanation.trim();
  if (text === "") return null;
  const calm = text === text.toUpperCase() ? text[0]! + text.slice(1).toLowerCase() : text;
  return `${calm} (file)`;
}
