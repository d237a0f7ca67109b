import type { Figure, PackSummary } from "../../core/model-pack.ts";

/** Three significant figures; counts stay whole. */
export function figureValue(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
}

export function intervalText(figure: Figure): string {
  if (!figure.interval) return "";
  return `${figureValue(figure.interval[0])} to ${figureValue(figure.interval[1])}`;
}

/** "CR, DX of HAND, WRIST; any view": what a pack is for, in one line. */
export function intendedText(intended: PackSummary["intendedFor"][number]): string {
  const modalities = intended.modalities.join(", ") || "any modality";
  const parts = intended.bodyParts.length > 0 ? ` of ${intended.bodyParts.join(", ").toLowerCase()}` : "";
  const views = intended.views.length > 0 ? `, views ${intended.views.join(", ")}` : "";
  return `${modalities}${parts}${views}`;
}
