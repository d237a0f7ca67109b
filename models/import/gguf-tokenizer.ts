import { appError } from "../../core/errors.ts";
import { byteLevelTokenizer } from "./gguf-byte-level.ts";
import { ggufDamaged, type GgufValue } from "./gguf-header.ts";
import { sentencePieceTokenizer } from "./gguf-sentencepiece.ts";
import { readVocabulary, tokenType, type GgufVocabulary, type TokenizerParts } from "./gguf-vocabulary.ts";
import { wellKnownEnds } from "./hf-tokenizer.ts";

export interface TokenizerFiles {
  readonly json: object;
  readonly config: object;
  readonly stopTokens: readonly string[];
}

interface Kind {
  readonly parts: (vocabulary: GgufVocabulary) => TokenizerParts;
  /** llama.cpp's ids of the named tokens that the file leaves out. */
  readonly namedIds: Readonly<Record<string, number>>;
}

const kinds: Readonly<Record<string, Kind>> = {
  gpt2: { parts: byteLevelTokenizer, namedIds: {} },
  llama: {
    parts: sentencePieceTokenizer,
    namedIds: { bos_token_id: 1, eos_token_id: 2, unknown_token_id: 0 },
  },
};

/** tokenizer.json and its config from a GGUF file's metadata. @throws not-supported, model-file-damaged */
export function ggufTokenizer(metadata: ReadonlyMap<string, GgufValue>): TokenizerFiles {
  const model = metadata.get("tokenizer.ggml.model");
  const kind = typeof model === "string" && Object.hasOwn(kinds, model) ? kinds[model] : undefined;
  if (kind === undefined) {
    throw appError(
      "not-supported",
      `The tokenizer of the GGUF file (${String(model).slice(0, 50)}) cannot be imported. Take the safetensors folder.`,
    );
  }
  const vocabulary = readVocabulary(metadata);
  const { tokens } = vocabulary;
  const special = specialTokens(vocabulary);
  const named = namedTokens(vocabulary, kind.namedIds);
  const template = metadata.get("tokenizer.chat_template");
  const { addsFirst, ...parts } = kind.parts(vocabulary);
  return {
    json: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: special,
      normalizer: parts.normalizer,
      pre_tokenizer: parts.pre_tokenizer,
      post_processor: framing(vocabulary, named, addsFirst),
      decoder: parts.decoder,
      model: parts.model,
    },
    config: {
      tokenizer_class: "PreTrainedTokenizerFast",
      clean_up_tokenization_spaces: false,
      ...Object.fromEntries(Object.entries(named).map(([name, id]) => [name, tokens[id]])),
      ...(typeof template === "string" ? { chat_template: template } : {}),
    },
    stopTokens: stopTokens(special, named["eos_token"] === undefined ? null : tokens[named["eos_token"]]),
  };
}

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}

/** Tokens that are matched as a whole before the text is split. */
function specialTokens({ tokens, types, metadata }: GgufVocabulary): AddedToken[] {
  // SentencePiece's piece for what is not known is a special token; byte-level vocabularies know everything.
  const unknown = metadata.get("tokenizer.ggml.model") === "llama" ? tokenType.unknown : null;
  return tokens.flatMap((content, id) => {
    const type = types[id];
    const special = type === tokenType.control || type === unknown;
    if ((!special && type !== tokenType.userDefined) || content === "") return [];
    const rules = { single_word: false, lstrip: false, rstrip: false, normalized: false };
    return [{ id, content, ...rules, special }];
  });
}

/** Ids of the named tokens. */
function namedTokens(
  { metadata, tokens }: GgufVocabulary,
  otherwise: Readonly<Record<string, number>>,
): Record<string, number> {
  const named: Record<string, number> = {};
  const keys = {
    bos_token: "bos_token_id",
    eos_token: "eos_token_id",
    unk_token: "unknown_token_id",
    pad_token: "padding_token_id",
  };
  for (const [name, key] of Object.entries(keys)) {
    const id = metadata.get(`tokenizer.ggml.${key}`) ?? otherwise[key];
    if (id === undefined) continue;
    if (typeof id !== "number" || tokens[id] === undefined)
      throw ggufDamaged(`its ${name} is not in its vocabulary`);
    named[name] = id;
  }
  return named;
}

/** What stands around a whole text, for programs that ask for it; the app's prompts come from chat templates. */
function framing(
  { metadata, tokens }: GgufVocabulary,
  named: Readonly<Record<string, number>>,
  addsFirst: boolean,
): object | null {
  const asked = (key: string, otherwise: boolean) =>
    (metadata.get(`tokenizer.ggml.${key}`) ?? otherwise) === true;
  const first = asked("add_bos_token", addsFirst) ? named["bos_token"] : undefined;
  const last = asked("add_eos_token", false) ? named["eos_token"] : undefined;
  const around = [first, last].flatMap((id) => (id === undefined ? [] : [id]));
  if (around.length === 0) return null;
  const special = (id: number | undefined) =>
    id === undefined ? [] : [{ SpecialToken: { id: tokens[id], type_id: 0 } }];
  const sequence = (id: string, type: number) => ({ Sequence: { id, type_id: type } });
  return {
    type: "TemplateProcessing",
    single: [...special(first), sequence("A", 0), ...special(last)],
    pair: [...special(first), sequence("A", 0), ...special(first), sequence("B", 1), ...special(last)],
    special_tokens: Object.fromEntries(
      around.map((id) => [tokens[id], { id: tokens[id], ids: [id], tokens: [tokens[id]] }]),
    ),
  };
}

/** The end token, and the other tokens that end a turn or a text by their well-known names. */
function stopTokens(special: readonly AddedToken[], end: string | null | undefined): string[] {
  const stops = new Set(
    special.map((token) => token.content).filter((content) => wellKnownEnds.has(content)),
  );
  if (typeof end === "string") stops.add(end);
  if (stops.size === 0) throw ggufDamaged("its tokenizer has no end token");
  return [...stops];
}
