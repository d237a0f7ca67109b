import type { HeaderElement } from "../../core/archive-events.ts";

/** Frames a second that the header asks for (PS3.3 C.7.6.5, C.7.6.6); null where it does not say. */
export function cineRate(elements: readonly HeaderElement[]): number | null {
  const value = (keyword: string) =>
    Number.parseFloat(
      elements.find((element) => element.depth === 0 && element.keyword === keyword)?.value ?? "",
    );
  const rates = [value("RecommendedDisplayFrameRate"), value("CineRate"), 1000 / value("FrameTime")];
  return rates.find((rate) => Number.isFinite(rate) && rate > 0) ?? null;
}

/** How an image was made, in one line, from the header: "120 kV  250 mA  5 mm", "TR 1200  TE 85  4 mm". */
export function techniqueText(elements: readonly HeaderElement[]): string {
  const top = new Map(
    elements.filter(({ depth }) => depth === 0).map(({ keyword, value }) => [keyword, value]),
  );
  const number = (keyword: string): string | null => {
    const value = Number.parseFloat(top.get(keyword) ?? "");
    return Number.isFinite(value) ? `${Number(value.toPrecision(4))}` : null;
  };
  const parts: string[] = [];
  const add = (keyword: string, write: (value: string) => string) => {
    const value = number(keyword);
    if (value !== null && value !== "0") parts.push(write(value));
  };
  add("KVP", (value) => `${value} kV`);
  add("XRayTubeCurrent", (value) => `${value} mA`);
  add("Exposure", (value) => `${value} mAs`);
  add("RepetitionTime", (value) => `TR ${value}`);
  add("EchoTime", (value) => `TE ${value}`);
  add("SliceThickness", (value) => `${value} mm`);
  return parts.join("  ");
}
