import { appError } from "../../core/errors.ts";
import { ggufDamaged, type GgufValue } from "./gguf-header.ts";

export interface TokenizerFiles {
  readonly json: object;
  readonly config: object;
  readonly stopTokens: readonly string[];
}

/** GGUF token types (llama.h, llama_token_type) that are matched as a whole before the text is split. */
const controlToken = 3;
const userToken = 4;

/**
 * How text is split before the merges, by GGUF's name of the rule; llama.cpp's llm_tokenizer_bpe has the same rules as
 * regular expressions.
 */
const preTokenizers: Readonly<Record<string, readonly object[]>> = {
  // HF's gguf reader drops the digit rule of these; the models were trained with it.
  // A pattern rather than HF's Digits rule: the app's library takes that for 0 to 9 alone, without ½ or ².
  smollm: [{ type: "Split", pattern: { Regex: "\\p{N}" }, behavior: "Isolated", invert: false }, byteLevel()],
  "gpt-2": [byteLevel()],
  default: [byteLevel()],
};

function byteLevel(): object {
  return { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
}

/** tokenizer.json and its config from a GGUF file's metadata. @throws not-supported, model-file-damaged */
export function ggufTokenizer(metadata: ReadonlyMap<string, GgufValue>): TokenizerFiles {
  const model = metadata.get("tokenizer.ggml.model");
  const rule = metadata.get("tokenizer.ggml.pre") ?? "default";
  if (model !== "gpt2" || typeof rule !== "string" || !Object.hasOwn(preTokenizers, rule)) {
    throw appError(
      "not-supported",
      `The tokenizer of the GGUF file (${String(model)}, ${String(rule)}) cannot be imported.`,
    );
  }
  const tokens = strings(metadata, "tokenizer.ggml.tokens");
  const vocabulary = new Map(tokens.map((token, id) => [token, id]));
  if (vocabulary.size !== tokens.length) throw ggufDamaged("its tokenizer has a token twice");
  const special = specialTokens(metadata, tokens);
  const named = namedTokens(metadata, tokens);
  const template = metadata.get("tokenizer.chat_template");
  return {
    json: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: special,
      normalizer: null,
      pre_tokenizer: { type: "Sequence", pretokenizers: preTokenizers[rule] },
      post_processor: null,
      decoder: byteLevel(),
      model: {
        type: "BPE",
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        vocab: Object.fromEntries(vocabulary),
        merges: readMerges(metadata, vocabulary),
      },
    },
    config: {
      tokenizer_class: "PreTrainedTokenizerFast",
      clean_up_tokenization_spaces: false,
      ...named,
      ...(typeof template === "string" ? { chat_template: template } : {}),
    },
    stopTokens: stopTokens(named, special),
  };
}

function strings(metadata: ReadonlyMap<string, GgufValue>, key: string): readonly string[] {
  const value = metadata.get(key);
  if (!Array.isArray(value) || value.length === 0 || !value.every((item) => typeof item === "string")) {
    throw ggufDamaged(`${key} is not a list of texts`);
  }
  return value;
}

function readMerges(
  metadata: ReadonlyMap<string, GgufValue>,
  vocabulary: ReadonlyMap<string, number>,
): string[] {
  const merges = strings(metadata, "tokenizer.ggml.merges");
  for (const merge of merges) {
    const [left = "", right = "", ...more] = merge.split(" ");
    if (more.length > 0 || !vocabulary.has(left + right)) throw ggufDamaged("a merge makes no token");
  }
  return [...merges];
}

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}

function specialTokens(metadata: ReadonlyMap<string, GgufValue>, tokens: readonly string[]): AddedToken[] {
  const types = metadata.get("tokenizer.ggml.token_type");
  if (!Array.isArray(types) || types.length !== tokens.length)
    throw ggufDamaged("its tokens and their types differ in number");
  return tokens.flatMap((content, id) => {
    const type: unknown = types[id];
    if (type !== controlToken && type !== userToken) return [];
    const rules = { single_word: false, lstrip: false, rstrip: false, normalized: false };
    return [{ id, content, ...rules, special: type === controlToken }];
  });
}

function namedTokens(
  metadata: ReadonlyMap<string, GgufValue>,
  tokens: readonly string[],
): Record<string, string> {
  const named: Record<string, string> = {};
  const keys = {
    bos_token: "bos_token_id",
    eos_token: "eos_token_id",
    unk_token: "unknown_token_id",
    pad_token: "padding_token_id",
  };
  for (const [name, key] of Object.entries(keys)) {
    const id = metadata.get(`tokenizer.ggml.${key}`);
    if (id === undefined) continue;
    const token = typeof id === "number" ? tokens[id] : undefined;
    if (token === undefined) throw ggufDamaged(`its ${name} is not in its vocabulary`);
    named[name] = token;
  }
  return named;
}

/** The end token, and the other tokens that end a turn or a text by their well-known names. */
function stopTokens(named: Readonly<Record<string, string>>, special: readonly AddedToken[]): string[] {
  const wellKnown = new Set([
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "</s>",
    "<end_of_turn>",
  ]);
  const stops = new Set(special.map((token) => token.content).filter((content) => wellKnown.has(content)));
  if (named["eos_token"] !== undefined) stops.add(named["eos_token"]);
  if (stops.size === 0) throw ggufDamaged("its tokenizer has no end token");
  return [...stops];
}
