import { decodeText } from "./charset.ts";
import { tags, type Tag } from "./tags.ts";

/** One element of a data set; its value lies in the octets the set was read from. */
export interface DicomElement {
  readonly tag: number;
  /** As the file has it; empty in implicit encodings. */
  readonly vr: string;
  /** Offset of the value in the octets, and its length, already cut to what is there. */
  readonly offset: number;
  readonly length: number;
  readonly items: readonly DataSet[] | null;
}

/** Longer lists of numbers than a 16-bit table with colour are no attribute the app reads. */
const mostNumbers = 1 << 18;
const longestText = 4096;
const plainText = new Set(["AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"]);

export interface DataSetOrigin {
  readonly octets: Uint8Array;
  readonly littleEndian: boolean;
  readonly parent: DataSet | null;
}

/** Elements by tag, read by meaning: a wrong VR in the file changes how a value is read, never past its end. */
export class DataSet {
  readonly elements: ReadonlyMap<number, DicomElement>;
  private readonly origin: DataSetOrigin;

  constructor(elements: ReadonlyMap<number, DicomElement>, origin: DataSetOrigin) {
    this.elements = elements;
    this.origin = origin;
  }

  has(attribute: Tag): boolean {
    return this.elements.has(attribute.tag);
  }

  /** Items of a sequence; none where it is missing, empty or no sequence. */
  items(attribute: Tag): readonly DataSet[] {
    return this.elements.get(attribute.tag)?.items ?? [];
  }

  /** The raw value; null where missing. Shares memory with the file. */
  octets(attribute: Tag): Uint8Array | null {
    const element = this.elements.get(attribute.tag);
    return element ? this.value(element) : null;
  }

  vr(attribute: Tag): string {
    const vr = this.elements.get(attribute.tag)?.vr ?? "";
    return vr === "" || vr === "UN" ? attribute.vr : vr;
  }

  /** Values of a text attribute, decoded in its character set, without padding. */
  strings(attribute: Tag): string[] {
    const element = this.elements.get(attribute.tag);
    if (!element || element.length === 0) return [];
    const vr = this.vr(attribute);
    const whole = this.decode(element, vr);
    const values = vr === "LT" || vr === "ST" || vr === "UT" ? [whole] : whole.split("\\");
    // Empty component groups at the end of a name are written or left out as a writer likes (PS3.5 6.2.1.1).
    return values.map((value) => (vr === "PN" ? trimmed(value).replace(/=+$/, "") : trimmed(value)));
  }

  /** The first value, empty where there is none. */
  string(attribute: Tag): string {
    return this.strings(attribute)[0] ?? "";
  }

  /** Numbers of any numeric or numeric-text VR; values that are no number are NaN. */
  numbers(attribute: Tag): number[] {
    const element = this.elements.get(attribute.tag);
    if (!element || element.length === 0) return [];
    const vr = this.vr(attribute);
    const reader = readers[vr];
    if (reader) return this.binary(element, reader);
    return this.decode(element, "DS")
      .split("\\", mostNumbers)
      .map((text) => (trimmed(text) === "" ? NaN : Number(trimmed(text))));
  }

  /** The first value where it is a finite number. */
  number(attribute: Tag): number | null {
    const value = this.numbers(attribute)[0];
    return value !== undefined && Number.isFinite(value) ? value : null;
  }

  /** The beginning of the text of any element, for the header panel. */
  text(element: DicomElement, vr: string): string {
    return trimmed(this.decode({ ...element, length: Math.min(element.length, longestText) }, vr));
  }

  numbersOf(element: DicomElement, vr: string): number[] {
    const reader = readers[vr];
    return reader ? this.binary(element, reader) : [];
  }

  get littleEndian(): boolean {
    return this.origin.littleEndian;
  }

  private value(element: DicomElement): Uint8Array {
    return this.origin.octets.subarray(element.offset, element.offset + element.length);
  }

  private decode(element: DicomElement, vr: string): string {
    const octets = this.value(element);
    return decodeText(octets, plainText.has(vr) ? [] : this.charsets(), vr === "PN");
  }

  /** An item without a character set of its own has its parent's (PS3.3 C.12.1.1.2). */
  private charsets(): readonly string[] {
    const element = this.elements.get(tags.characterSet.tag);
    if (element) return this.strings(tags.characterSet);
    return this.origin.parent?.charsets() ?? [];
  }

  private binary(element: DicomElement, reader: Reader): number[] {
    const octets = this.value(element);
    const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
    const count = Math.min(Math.floor(octets.length / reader.width), mostNumbers);
    return Array.from({ length: count }, (_, i) =>
      reader.read(view, i * reader.width, this.origin.littleEndian),
    );
  }
}

interface Reader {
  readonly width: number;
  readonly read: (view: DataView, at: number, little: boolean) => number;
}

const readers: Readonly<Record<string, Reader>> = {
  US: { width: 2, read: (view, at, little) => view.getUint16(at, little) },
  SS: { width: 2, read: (view, at, little) => view.getInt16(at, little) },
  OW: { width: 2, read: (view, at, little) => view.getUint16(at, little) },
  UL: { width: 4, read: (view, at, little) => view.getUint32(at, little) },
  SL: { width: 4, read: (view, at, little) => view.getInt32(at, little) },
  OL: { width: 4, read: (view, at, little) => view.getUint32(at, little) },
  FL: { width: 4, read: (view, at, little) => view.getFloat32(at, little) },
  OF: { width: 4, read: (view, at, little) => view.getFloat32(at, little) },
  FD: { width: 8, read: (view, at, little) => view.getFloat64(at, little) },
  OD: { width: 8, read: (view, at, little) => view.getFloat64(at, little) },
  UV: { width: 8, read: (view, at, little) => Number(view.getBigUint64(at, little)) },
  SV: { width: 8, read: (view, at, little) => Number(view.getBigInt64(at, little)) },
  OV: { width: 8, read: (view, at, little) => Number(view.getBigUint64(at, little)) },
};

function trimmed(text: string): string {
  // oxlint-disable-next-line no-control-regex -- values are padded with NUL as often as with spaces
  return text.replace(/^[\s\0]+|[\s\0]+$/g, "");
}
