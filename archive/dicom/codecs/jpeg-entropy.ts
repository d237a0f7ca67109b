import { damaged } from "./codestream.ts";

/** Code to value and length for every 16-bit window: `length << 8 | value`, 0 where no code fits. */
export type HuffmanTable = Uint16Array;

/** ITU-T T.81 annex C: 16 counts, then the values in order of their codes. */
export function huffmanTable(counts: Uint8Array, values: Uint8Array): HuffmanTable {
  const table = new Uint16Array(1 << 16);
  let code = 0;
  let at = 0;
  for (let length = 1; length <= 16; length += 1) {
    for (let i = 0; i < counts[length - 1]!; i += 1) {
      const first = code << (16 - length);
      const next = (code + 1) << (16 - length);
      if (next > 1 << 16 || at >= values.length) throw damaged();
      table.fill((length << 8) | values[at]!, first, next);
      code += 1;
      at += 1;
    }
    code <<= 1;
  }
  return table;
}

/** Bits of entropy-coded data; stuffed octets are left out, and a marker ends it (T.81 F.1.2.3). */
export class BitReader {
  private readonly octets: Uint8Array;
  private at: number;
  private bits = 0;
  private count = 0;
  /** Bits that are really there; past them zeros would be read for ever. */
  private real = 0;

  constructor(octets: Uint8Array, start: number) {
    this.octets = octets;
    this.at = start;
  }

  /** The octet behind what was read: a marker, or the end. */
  get position(): number {
    return this.at;
  }

  /** @throws pixel-data-damaged at a code that the table does not have, or past the end */
  symbol(table: HuffmanTable): number {
    this.fill();
    const entry = table[(this.bits >>> (this.count - 16)) & 0xffff]!;
    if (entry === 0) throw damaged();
    this.drop(entry >> 8);
    return entry & 0xff;
  }

  /** 0 to 16 bits, the first the highest. */
  receive(length: number): number {
    if (length === 0) return 0;
    this.fill();
    const value = (this.bits >>> (this.count - length)) & ((1 << length) - 1);
    this.drop(length);
    return value;
  }

  /** A signed difference of `length` bits (T.81 F.2.2.1, EXTEND). */
  difference(length: number): number {
    if (length === 0) return 0;
    const value = this.receive(length);
    return value < 1 << (length - 1) ? value - (1 << length) + 1 : value;
  }

  /** Goes on behind the next restart marker; false where there is none. */
  restart(): boolean {
    this.bits = 0;
    this.count = 0;
    this.real = 0;
    const { octets } = this;
    while (this.at + 1 < octets.length) {
      const marker = octets[this.at + 1]!;
      if (octets[this.at] === 0xff && marker >= 0xd0 && marker <= 0xd7) {
        this.at += 2;
        return true;
      }
      if (octets[this.at] === 0xff && marker !== 0 && marker !== 0xff) return false;
      this.at += 1;
    }
    return false;
  }

  private fill(): void {
    while (this.count <= 16) {
      this.bits = ((this.bits << 8) | this.nextOctet()) >>> 0;
      this.count += 8;
    }
  }

  private nextOctet(): number {
    const octet = this.octets[this.at];
    if (octet === undefined) return 0;
    if (octet === 0xff) {
      if (this.octets[this.at + 1] !== 0) return 0;
      this.at += 1;
    }
    this.at += 1;
    this.real += 8;
    return octet;
  }

  private drop(length: number): void {
    this.count -= length;
    this.real -= length;
    if (this.real < 0) throw damaged();
  }
}
