import { TextDecoder } from "node:util";

/**
 * Text in DICOM's character sets (PS3.3 C.12.1.1.2, PS3.5 section 6.1 and annexes H to K), by the platform's own
 * TextDecoder; only the switching by escape sequences (ISO 2022) is done here.
 */

/** Single sets by Defined Term; the ISO 2022 terms name the same sets as G1. */
const encodings: Readonly<Record<string, string>> = {
  "ISO_IR 6": "ascii",
  "ISO_IR 13": "shift_jis",
  "ISO_IR 100": "iso-8859-1",
  "ISO_IR 101": "iso-8859-2",
  "ISO_IR 109": "iso-8859-3",
  "ISO_IR 110": "iso-8859-4",
  "ISO_IR 126": "iso-8859-7",
  "ISO_IR 127": "iso-8859-6",
  "ISO_IR 138": "iso-8859-8",
  "ISO_IR 144": "iso-8859-5",
  "ISO_IR 148": "iso-8859-9",
  "ISO_IR 166": "windows-874",
  "ISO_IR 192": "utf-8",
  "ISO_IR 203": "iso-8859-15",
  GB18030: "gb18030",
  GBK: "gbk",
};

/** How octets are read after an escape: `width` octets a character, `lift` puts 7-bit codes into the upper half. */
interface CodeSet {
  readonly encoding: string;
  readonly width: 1 | 2;
  readonly lift: boolean;
  /** JIS X 0212 has a prefix of its own in EUC-JP. */
  readonly prefix: number | null;
}

const single = (encoding: string): CodeSet => ({ encoding, width: 1, lift: false, prefix: null });
const ascii = single("ascii");

/** Escape sequences without the ESC itself (PS3.3 tables C.12-3 and C.12-4) and the half they switch. */
const escapes: Readonly<Record<string, { half: "g0" | "g1"; set: CodeSet }>> = {
  "(B": { half: "g0", set: ascii },
  "(J": { half: "g0", set: single("shift_jis") },
  ")I": { half: "g1", set: single("shift_jis") },
  "-A": { half: "g1", set: single("iso-8859-1") },
  "-B": { half: "g1", set: single("iso-8859-2") },
  "-C": { half: "g1", set: single("iso-8859-3") },
  "-D": { half: "g1", set: single("iso-8859-4") },
  "-F": { half: "g1", set: single("iso-8859-7") },
  "-G": { half: "g1", set: single("iso-8859-6") },
  "-H": { half: "g1", set: single("iso-8859-8") },
  "-L": { half: "g1", set: single("iso-8859-5") },
  "-M": { half: "g1", set: single("iso-8859-9") },
  "-T": { half: "g1", set: single("windows-874") },
  "-b": { half: "g1", set: single("iso-8859-15") },
  $B: { half: "g0", set: { encoding: "euc-jp", width: 2, lift: true, prefix: null } },
  "$(D": { half: "g0", set: { encoding: "euc-jp", width: 2, lift: true, prefix: 0x8f } },
  "$)A": { half: "g1", set: { encoding: "gbk", width: 2, lift: false, prefix: null } },
  "$)C": { half: "g1", set: { encoding: "euc-kr", width: 2, lift: false, prefix: null } },
};

const escape = 0x1b;
const decoders = new Map<string, TextDecoder>();

/**
 * Decodes one value. `charsets` are the values of Specific Character Set (0008,0005); none means ASCII, where
 * files with upper octets are read as UTF-8 if they are well-formed, else as Latin 1. Never throws: what cannot be
 * decoded becomes U+FFFD.
 */
export function decodeText(octets: Uint8Array, charsets: readonly string[], isName = false): string {
  const names = charsets.map(plainName);
  if (names.length <= 1 && !octets.includes(escape)) {
    return decodeSingle(octets, names[0] ?? "");
  }
  return decodeSwitched(octets, names[0] ?? "", isName);
}

function decodeSingle(octets: Uint8Array, name: string): string {
  const encoding = encodings[name];
  if (encoding && encoding !== "ascii") return decodeAs(encoding, octets);
  if (!octets.some((octet) => octet >= 0x80)) return decodeAs("iso-8859-1", octets);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(octets);
  } catch {
    return decodeAs("iso-8859-1", octets);
  }
}

/** ISO 2022 code extension: sets are switched by escapes and fall back at delimiters (PS3.5 6.1.2.5.3). */
function decodeSwitched(octets: Uint8Array, first: string, isName: boolean): string {
  const initial = single(encodings[first] ?? "ascii");
  let g0 = ascii;
  let g1 = initial;
  let text = "";
  let at = 0;
  while (at < octets.length) {
    const octet = octets[at]!;
    if (octet === escape) {
      const found = readEscape(octets, at + 1);
      if (found?.half === "g0") g0 = found.set;
      if (found?.half === "g1") g1 = found.set;
      at += 1 + (found?.length ?? 0);
      continue;
    }
    if (endsExtension(octet, g0, isName)) {
      g0 = ascii;
      g1 = initial;
    }
    const set = octet < 0x80 ? g0 : g1;
    const end = runEnd(octets, at, octet < 0x80);
    const stop = set.width === 1 ? delimiterEnd(octets, at, { end, isName }) : end;
    text += decodeRun(octets.subarray(at, stop), set);
    at = stop;
  }
  return text;
}

/** A two-octet set owns all codes but the control characters, so "^" and "=" end it only in one-octet sets. */
function endsExtension(octet: number, g0: CodeSet, isName: boolean): boolean {
  if (octet === 0x0a || octet === 0x0c || octet === 0x0d || octet === 0x09) return true;
  if (g0.width === 2) return false;
  return octet === 0x5c || (isName && (octet === 0x5e || octet === 0x3d));
}

function readEscape(
  octets: Uint8Array,
  at: number,
): { half: "g0" | "g1"; set: CodeSet; length: number } | null {
  for (const length of [2, 3]) {
    const code = String.fromCharCode(...octets.subarray(at, at + length));
    const found = escapes[code];
    if (found) return { ...found, length };
  }
  return null;
}

/** End of the octets that lie in the same half as the first and hold no escape. */
function runEnd(octets: Uint8Array, start: number, lower: boolean): number {
  let end = start;
  while (end < octets.length && octets[end] !== escape && octets[end]! < 0x80 === lower) end += 1;
  return end;
}

/** A run stops before the next delimiter, which resets the sets, but holds at least one octet. */
function delimiterEnd(octets: Uint8Array, start: number, run: { end: number; isName: boolean }): number {
  for (let at = start + 1; at < run.end; at += 1)
    if (endsExtension(octets[at]!, ascii, run.isName)) return at;
  return run.end;
}

function decodeRun(run: Uint8Array, set: CodeSet): string {
  if (!set.lift) return decodeAs(set.encoding, run);
  const step = set.prefix === null ? 2 : 3;
  const pairs = run.length >> 1;
  const lifted = new Uint8Array(pairs * step);
  for (let i = 0; i < pairs; i += 1) {
    if (set.prefix !== null) lifted[i * step] = set.prefix;
    lifted[i * step + step - 2] = run[i * 2]! | 0x80;
    lifted[i * step + step - 1] = run[i * 2 + 1]! | 0x80;
  }
  return decodeAs(set.encoding, lifted);
}

function decodeAs(encoding: string, octets: Uint8Array): string {
  let decoder = decoders.get(encoding);
  if (!decoder) {
    decoder = new TextDecoder(encoding === "ascii" ? "iso-8859-1" : encoding);
    decoders.set(encoding, decoder);
  }
  return decoder.decode(octets);
}

/** "ISO 2022 IR 100", "ISO IR 100" and "iso_ir 100" all name ISO_IR 100. */
function plainName(name: string): string {
  const upper = name.trim().toUpperCase();
  const number = /(?:ISO[_ ]?(?:2022[_ ])?IR[_ -]?)(\d+)/.exec(upper)?.[1];
  return number ? `ISO_IR ${number}` : upper;
}
