import { appError } from "../../core/errors.ts";
import { DataSet, type DicomElement } from "./data-set.ts";
import { itemEndTag, itemTag, pixelTags, sequenceEndTag } from "./tags.ts";

/** Deeper sequences than any real report (about ten levels) are an attack on the stack. */
const deepest = 48;
/** An element costs about 150 octets of memory here. */
const mostElements = 500_000;
const undefinedLength = 0xffffffff;
/** The warning of a file that was cut before its pixels. */
export const endsInHeader = "The file ends inside its header.";

/** VRs whose length takes 4 octets after 2 reserved ones (PS3.5 7.1.2). */
const longVrs = new Set(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"]);
const shortVrs = new Set("AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split(" "));

export interface Encoding {
  readonly explicit: boolean;
  readonly littleEndian: boolean;
}

/** Where the pixels lie; they are never read with the header. */
export interface PixelElement {
  readonly tag: number;
  readonly vr: string;
  /** Offset of the value in the source. */
  readonly offset: number;
  /** Null: undefined length, the value is a sequence of fragments. */
  readonly length: number | null;
}

export interface ReadDataSet {
  readonly dataSet: DataSet;
  readonly pixels: PixelElement | null;
  readonly warnings: readonly string[];
}

/** The octets at hand end before the header does: read up to `end` and start again. */
export class NeedsMore {
  readonly end: number;

  constructor(end: number) {
    this.end = end;
  }
}

interface ElementHead {
  readonly tag: number;
  readonly vr: string;
  readonly offset: number;
  readonly length: number;
}

interface Scope {
  readonly end: number;
  readonly encoding: Encoding;
  readonly depth: number;
  readonly parent: DataSet | null;
}

/** True where the two octets are a VR of the standard. */
export function isVr(vr: string): boolean {
  return longVrs.has(vr) || shortVrs.has(vr);
}

/**
 * Reads a data set (PS3.5 section 7) from `octets`, which are the first octets of a source of `size`, up to the
 * pixels or the end. Damage never throws: lengths are cut to what holds them, and a warning says so.
 * @throws NeedsMore where the source has more octets than are at hand; dicom-damaged and too-large at the bounds.
 */
export function readDataSet(
  octets: Uint8Array,
  size: number,
  from: { start: number; encoding: Encoding },
): ReadDataSet {
  return new DataSetReader(octets, size).readAll(from.start, from.encoding);
}

/** The file meta information: elements of group 2, always explicit little endian. */
export function readMeta(octets: Uint8Array, size: number, start: number): { dataSet: DataSet; end: number } {
  return new DataSetReader(octets, size).readMeta(start);
}

class DataSetReader {
  private readonly octets: Uint8Array;
  private readonly view: DataView;
  private readonly size: number;
  private readonly warnings = new Set<string>();
  private elements = 0;
  private pixels: PixelElement | null = null;

  constructor(octets: Uint8Array, size: number) {
    this.octets = octets;
    this.view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
    this.size = size;
  }

  readAll(start: number, encoding: Encoding): ReadDataSet {
    const { dataSet } = this.readElements(start, { end: this.size, encoding, depth: 0, parent: null });
    return { dataSet, pixels: this.pixels, warnings: [...this.warnings] };
  }

  readMeta(start: number): { dataSet: DataSet; end: number } {
    const encoding = { explicit: true, littleEndian: true };
    const elements = new Map<number, DicomElement>();
    let at = start;
    while (at + 8 <= this.size && this.tagAt(at, true) >>> 16 === 2) {
      const head = this.headAt(at, encoding);
      const length = this.fit(head, this.size);
      elements.set(head.tag, { ...head, length, items: null });
      at = head.offset + length;
    }
    return { dataSet: this.dataSet(elements, encoding, null), end: at };
  }

  private readElements(start: number, scope: Scope): { dataSet: DataSet; end: number } {
    const elements = new Map<number, DicomElement>();
    const dataSet = this.dataSet(elements, scope.encoding, scope.parent);
    let at = start;
    while (at + 8 <= scope.end) {
      const tag = this.tagAt(at, scope.encoding.littleEndian);
      if (tag === itemEndTag) return { dataSet, end: at + 8 };
      if (tag === sequenceEndTag || tag === itemTag) {
        // Inside a sequence: an item that lacks its end. Outside: a delimiter left over from a damaged one.
        if (scope.depth > 0) return { dataSet, end: at };
        this.warnings.add("The header has a stray delimiter.");
        at += 8;
        continue;
      }
      const head = this.headAt(at, scope.encoding);
      if (scope.depth === 0 && isPixelTag(tag)) {
        this.pixels = { ...head, length: head.length === undefinedLength ? null : head.length };
        return { dataSet, end: head.offset };
      }
      this.count();
      const { element, end } = this.readValue(head, { ...scope, parent: dataSet });
      elements.set(tag, element);
      at = end;
    }
    return { dataSet, end: at };
  }

  private readValue(head: ElementHead, scope: Scope): { element: DicomElement; end: number } {
    if (head.length === undefinedLength) {
      // UN of undefined length holds an implicit sequence (PS3.5 6.2.2 note 2).
      const encoding = head.vr === "UN" ? { ...scope.encoding, explicit: false } : scope.encoding;
      if (head.vr === "OB" || head.vr === "OW") return this.skipFragments(head, scope);
      const { items, end } = this.readItems(head.offset, { ...scope, encoding });
      return { element: { ...head, length: end - head.offset, items }, end };
    }
    const length = this.fit(head, scope.end);
    const end = head.offset + length;
    if (head.vr === "SQ" || this.looksLikeItems(head, { length, scope })) {
      const encoding = head.vr === "UN" ? { ...scope.encoding, explicit: false } : scope.encoding;
      const { items } = this.readItems(head.offset, { ...scope, end, encoding });
      return { element: { ...head, length, items }, end };
    }
    return { element: { ...head, length, items: null }, end };
  }

  private readItems(start: number, scope: Scope): { items: DataSet[]; end: number } {
    if (scope.depth >= deepest) {
      throw appError("dicom-damaged", "The header nests sequences deeper than any real file.");
    }
    const items: DataSet[] = [];
    let at = start;
    while (at + 8 <= scope.end) {
      const tag = this.tagAt(at, scope.encoding.littleEndian);
      if (tag === sequenceEndTag) return { items, end: at + 8 };
      if (tag !== itemTag) {
        this.warnings.add("A sequence of the header is damaged; the rest of it was left out.");
        return { items, end: at };
      }
      this.count();
      const length = this.uint32At(at + 4, scope.encoding.littleEndian);
      const open = length === undefinedLength;
      const end = open ? scope.end : Math.min(at + 8 + length, scope.end);
      const item = this.readElements(at + 8, { ...scope, end, depth: scope.depth + 1 });
      items.push(item.dataSet);
      at = open ? item.end : end;
    }
    return { items, end: Math.max(at, start) };
  }

  /** Implicit files and UN values do not name sequences; they show by their first item. */
  private looksLikeItems(head: ElementHead, value: { length: number; scope: Scope }): boolean {
    if (head.vr !== "" && head.vr !== "UN") return false;
    if (value.length < 8) return false;
    const little = value.scope.encoding.littleEndian;
    if (this.tagAt(head.offset, little) !== itemTag) return false;
    const inner = this.uint32At(head.offset + 4, little);
    return inner === undefinedLength || inner <= value.length - 8;
  }

  /** Encapsulated values inside the header (icons): passed over, not kept. */
  private skipFragments(head: ElementHead, scope: Scope): { element: DicomElement; end: number } {
    const little = scope.encoding.littleEndian;
    let at = head.offset;
    while (at + 8 <= scope.end) {
      const tag = this.tagAt(at, little);
      const length = this.uint32At(at + 4, little);
      if (tag === sequenceEndTag) return { element: { ...head, length: 0, items: null }, end: at + 8 };
      if (tag !== itemTag) break;
      this.count();
      at += 8 + length;
    }
    this.warnings.add("An encapsulated value of the header is damaged.");
    return { element: { ...head, length: 0, items: null }, end: Math.min(at, scope.end) };
  }

  private headAt(at: number, encoding: Encoding): ElementHead {
    const tag = this.tagAt(at, encoding.littleEndian);
    const implicit = { tag, vr: "", offset: at + 8, length: this.uint32At(at + 4, encoding.littleEndian) };
    if (!encoding.explicit) return implicit;
    const vr = String.fromCharCode(this.octets[at + 4]!, this.octets[at + 5]!);
    if (shortVrs.has(vr)) {
      return { tag, vr, offset: at + 8, length: this.view.getUint16(at + 6, encoding.littleEndian) };
    }
    // VRs that later editions may bring have the long form (PS3.5 7.1.2); anything else is an implicit element
    // that a careless writer left in an explicit file.
    if (!longVrs.has(vr) && !/^[A-Z]{2}$/.test(vr)) return implicit;
    if (at + 12 > this.size) return { tag, vr, offset: this.size, length: 0 };
    return { tag, vr, offset: at + 12, length: this.uint32At(at + 8, encoding.littleEndian) };
  }

  /** The length cut to its container, with the octets at hand. */
  private fit(head: ElementHead, end: number): number {
    const room = Math.max(0, end - head.offset);
    if (head.length > room) {
      this.warnings.add(
        end === this.size ? endsInHeader : "A value of the header is longer than its sequence.",
      );
    }
    const length = Math.min(head.length, room);
    this.atHand(head.offset + length);
    return length;
  }

  private tagAt(at: number, little: boolean): number {
    this.atHand(at + 8);
    return ((this.view.getUint16(at, little) << 16) | this.view.getUint16(at + 2, little)) >>> 0;
  }

  private uint32At(at: number, little: boolean): number {
    this.atHand(at + 4);
    return this.view.getUint32(at, little);
  }

  private atHand(end: number): void {
    if (end > this.octets.length) throw new NeedsMore(Math.min(end, this.size));
  }

  private count(): void {
    this.elements += 1;
    if (this.elements > mostElements) {
      throw appError("too-large", "The header has more elements than this app reads.");
    }
  }

  private dataSet(elements: Map<number, DicomElement>, encoding: Encoding, parent: DataSet | null): DataSet {
    return new DataSet(elements, { octets: this.octets, littleEndian: encoding.littleEndian, parent });
  }
}

function isPixelTag(tag: number): boolean {
  return tag === pixelTags.integer || tag === pixelTags.float || tag === pixelTags.double;
}
