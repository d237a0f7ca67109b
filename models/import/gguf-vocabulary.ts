import { ggufDamaged, type GgufValue } from "./gguf-header.ts";

/** What the kinds of tokenizer read from a GGUF file's metadata. */
export interface GgufVocabulary {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** By id. */
  readonly tokens: readonly string[];
  /** llama.h, llama_token_type; by id. */
  readonly types: readonly number[];
  readonly ids: ReadonlyMap<string, number>;
}

/** The parts of tokenizer.json that differ from kind to kind. */
export interface TokenizerParts {
  readonly normalizer: object | null;
  readonly pre_tokenizer: object | null;
  readonly decoder: object;
  readonly model: object;
  /** Whether a text begins with the first token where the file does not say. */
  readonly addsFirst: boolean;
}

export const tokenType = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** @throws model-file-damaged */
export function readVocabulary(metadata: ReadonlyMap<string, GgufValue>): GgufVocabulary {
  const tokens = metadataTexts(metadata, "tokenizer.ggml.tokens");
  const ids = new Map(tokens.map((token, id) => [token, id]));
  if (ids.size !== tokens.length) throw ggufDamaged("its tokenizer has a token twice");
  return {
    metadata,
    tokens,
    types: metadataNumbers(metadata, "tokenizer.ggml.token_type", tokens.length),
    ids,
  };
}

/** @throws model-file-damaged */
export function metadataTexts(metadata: ReadonlyMap<string, GgufValue>, key: string): readonly string[] {
  const value = metadata.get(key);
  if (!Array.isArray(value) || value.length === 0 || !value.every((item) => typeof item === "string")) {
    throw ggufDamaged(`${key} is not a list of texts`);
  }
  return value;
}

/** @throws model-file-damaged */
export function metadataNumbers(
  metadata: ReadonlyMap<string, GgufValue>,
  key: string,
  count: number,
): readonly number[] {
  const value = metadata.get(key);
  const sound = Array.isArray(value) && value.length === count && value.every(Number.isFinite);
  if (!sound) throw ggufDamaged(`${key} is not a list of ${count} numbers`);
  return value;
}
