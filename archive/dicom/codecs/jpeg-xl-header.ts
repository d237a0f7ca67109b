import { damaged } from "./codestream.ts";

/** Rows and columns of a JPEG XL image, from its first octets: a bare codestream or the container of ISO/IEC 18181-2. */
export function jpegXlSize(octets: Uint8Array): { rows: number; columns: number } {
  const bits = bitReader(octets.subarray(codestreamStart(octets) + 2));
  // SizeHeader (ISO/IEC 18181-1 D.2): multiples of 8 up to 256, or 1 + a number of 9, 13, 18 or 30 bits.
  const small = bits(1) === 1;
  const size = (): number => (small ? (bits(5) + 1) * 8 : 1 + bits([9, 13, 18, 30][bits(2)]!));
  const rows = size();
  const ratio = bits(3);
  if (ratio === 0) return { rows, columns: size() };
  const [up, down] = ratios[ratio - 1]!;
  return { rows, columns: Math.floor((rows * up) / down) };
}

/** Width to height. */
const ratios = [
  [1, 1],
  [12, 10],
  [4, 3],
  [3, 2],
  [16, 9],
  [5, 4],
  [2, 1],
] as const;

function codestreamStart(octets: Uint8Array): number {
  if (octets[0] === 0xff && octets[1] === 0x0a) return 0;
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  // Boxes: length, type, and for "jxlp" an index before the part of the codestream.
  for (let at = 0; at + 14 <= octets.length;) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...octets.subarray(at + 4, at + 8));
    const wide = length === 1 ? 8 : 0;
    const start = at + 8 + wide + (type === "jxlp" ? 4 : 0);
    if (type === "jxlc" || type === "jxlp") {
      if (octets[start] === 0xff && octets[start + 1] === 0x0a) return start;
      break;
    }
    if (length < 8) break;
    at += length;
  }
  throw damaged();
}

/** Numbers of so many bits, the lowest first. */
function bitReader(octets: Uint8Array): (count: number) => number {
  let at = 0;
  return (count) => {
    let value = 0;
    for (let i = 0; i < count; i += 1, at += 1) {
      const octet = octets[at >> 3];
      if (octet === undefined) throw damaged();
      value += ((octet >> (at & 7)) & 1) * 2 ** i;
    }
    return value;
  };
}
