import type { HeaderElement } from "../../core/archive-events.ts";
import type { DataSet, DicomElement } from "./data-set.ts";
import type { DicomHeader } from "./parse-header.ts";
import { tagText } from "./tags.ts";

const mostElements = 5000;
const longestValue = 256;
const mostItems = 64;

/** A dictionary of attributes (PS3.6): tag in eight hex digits, lower case, to VR and keyword. */
export type Dictionary = ReadonlyMap<string, { readonly vr: string; readonly keyword: string }>;

/** Every element for the header panel, sequences indented, long values shortened, at most 5,000 lines. */
export function headerElements(header: DicomHeader, dictionary: Dictionary): HeaderElement[] {
  const lines: HeaderElement[] = [];
  for (const dataSet of [header.meta, header.dataSet]) {
    if (dataSet) addLines(dataSet, { depth: 0, dictionary, lines });
  }
  return lines;
}

interface Listing {
  readonly depth: number;
  readonly dictionary: Dictionary;
  readonly lines: HeaderElement[];
}

function addLines(dataSet: DataSet, listing: Listing): void {
  const sorted = [...dataSet.elements.values()].toSorted((a, b) => a.tag - b.tag);
  for (const element of sorted) {
    if (listing.lines.length >= mostElements) return;
    const known = listing.dictionary.get(element.tag.toString(16).padStart(8, "0"));
    const vr = element.items ? "SQ" : element.vr && element.vr !== "UN" ? element.vr : (known?.vr ?? "UN");
    listing.lines.push({
      tag: tagText(element.tag),
      keyword: known?.keyword ?? "",
      vr,
      value: element.items ? `${element.items.length} items` : shortened(valueText(dataSet, element, vr)),
      depth: listing.depth,
    });
    for (const item of element.items?.slice(0, mostItems) ?? []) {
      addLines(item, { ...listing, depth: listing.depth + 1 });
    }
  }
}

const textVrs = new Set("AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT".split(" "));
const numberVrs = new Set("US SS UL SL FL FD UV SV".split(" "));

function valueText(dataSet: DataSet, element: DicomElement, vr: string): string {
  if (textVrs.has(vr)) return dataSet.text(element, vr);
  if (numberVrs.has(vr)) return dataSet.numbersOf(element, vr).slice(0, 64).join("\\");
  if (vr === "AT") return "";
  return element.length === 0 ? "" : `${element.length} octets`;
}

function shortened(text: string): string {
  // Cut between characters, not inside a surrogate pair.
  const characters = Array.from(text);
  return characters.length > longestValue ? `${characters.slice(0, longestValue).join("")}…` : text;
}
