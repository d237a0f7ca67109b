import { appError } from "../../core/errors.ts";

interface Part {
  readonly type?: string;
  readonly decoders?: readonly Part[];
}

export interface VocabularyEntry {
  readonly id: number;
  readonly text: string;
  /** Not a part of the model's vocabulary: its text is meant as it stands. */
  readonly added: boolean;
  /** Never a part of an answer's text. */
  readonly special: boolean;
}

/**
 * The bytes that each token adds to a text, by id; null for special tokens and for ids without a token. For byte-level
 * vocabularies, where a token may end inside a character, and for those of the SentencePiece family with tokens for
 * single bytes. `decoder` is that of tokenizer.json. @throws not-supported
 */
export function tokenBytes(entries: readonly VocabularyEntry[], decoder: unknown): (Uint8Array | null)[] {
  const steps = stepsOf(decoder as Part | null);
  const written = steps.has("ByteLevel")
    ? byteLevelText
    : steps.has("ByteFallback") || steps.has("Metaspace") || steps.has("Replace")
      ? sentencePieceText
      : null;
  if (written === null) {
    throw appError(
      "not-supported",
      "Answers of this model pack cannot be held to a schema: its tokenizer is of an unknown kind.",
    );
  }
  const utf8 = new TextEncoder();
  const bytes: (Uint8Array | null)[] = [];
  for (const { id, text, added, special } of entries) {
    while (bytes.length <= id) bytes.push(null);
    bytes[id] = special ? null : added ? utf8.encode(text) : written(text);
  }
  return bytes;
}

function stepsOf(decoder: Part | null): Set<string> {
  const steps = new Set<string>();
  for (const part of decoder?.decoders ?? (decoder ? [decoder] : [])) steps.add(part.type ?? "");
  return steps;
}

/** GPT-2's table: a byte that prints stands for itself, the others take the characters from 256 on, in order. */
function byteCharacters(): Map<string, number> {
  const isPrinted = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let others = 256;
  const characters = new Map<string, number>();
  for (let byte = 0; byte < 256; byte += 1) {
    characters.set(String.fromCodePoint(isPrinted(byte) ? byte : others++), byte);
  }
  return characters;
}

const byteOf: ReadonlyMap<string, number> = byteCharacters();

/** Null where a character stands for no byte. */
function byteLevelText(text: string): Uint8Array | null {
  const bytes = Array.from(text, (character) => byteOf.get(character));
  return bytes.every((byte) => byte !== undefined) ? Uint8Array.from(bytes) : null;
}

function sentencePieceText(text: string): Uint8Array {
  const single = /^<0x([0-9A-Fa-f]{2})>$/.exec(text);
  return single
    ? Uint8Array.of(Number.parseInt(single[1]!, 16))
    : new TextEncoder().encode(text.replaceAll("▁", " "));
}
