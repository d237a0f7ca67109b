import { appError } from "../../core/errors.ts";
import { ggufDamaged } from "./gguf-header.ts";
import { metadataTexts, type GgufVocabulary, type TokenizerParts } from "./gguf-vocabulary.ts";

/** How a byte-level vocabulary splits text before its merges. */
interface SplitRule {
  readonly pieces: readonly object[];
  readonly normalizer: object | null;
  /** A piece that is a token is taken whole. */
  readonly ignoreMerges: boolean;
  readonly addsFirst: boolean;
}

const plain: SplitRule = {
  pieces: [byteLevel(true)],
  normalizer: null,
  ignoreMerges: false,
  addsFirst: false,
};
// HF's gguf reader drops the digit rule of these; the models were trained with it.
// A pattern rather than HF's Digits rule: the app's library takes that for 0 to 9 alone, without ½ or ².
const digitByDigit: SplitRule = { ...plain, pieces: [split("\\p{N}"), byteLevel(true)] };

const englishEndings = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const rest = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const upperLower =
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+";
const upper = "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*";

const llama3 = byPattern(
  `${englishEndings}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${rest}`,
);
const qwen2 = byPattern(
  `${englishEndings}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${rest}`,
);
const tekken = byPattern(`${upperLower}|${upper}|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${rest}`);
const gpt4o = byPattern(
  `${upperLower}${englishEndings}?|${upper}${englishEndings}?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${rest}`,
);

const llama3Rule: SplitRule = { ...llama3, ignoreMerges: true, addsFirst: true };
const qwen2Rule: SplitRule = { ...qwen2, normalizer: { type: "NFC" } };

/**
 * By GGUF's name of the rule (tokenizer.ggml.pre). The patterns are those of the models' own tokenizer.json; llama.cpp's
 * llama-vocab.cpp lists which name means which.
 */
const rules: Readonly<Record<string, SplitRule>> = {
  "gpt-2": plain,
  mpt: plain,
  olmo: plain,
  smollm: digitByDigit,
  starcoder: digitByDigit,
  refact: digitByDigit,
  codeshell: digitByDigit,
  exaone: digitByDigit,
  "llama-bpe": llama3Rule,
  "llama-v3": llama3Rule,
  llama3: llama3Rule,
  falcon3: llama3Rule,
  pixtral: llama3Rule,
  dbrx: llama3,
  "smaug-bpe": llama3,
  qwen2: qwen2Rule,
  "deepseek-r1-qwen": qwen2Rule,
  tekken: { ...tekken, ignoreMerges: true },
  "gpt-4o": gpt4o,
};

/** GPT-2's kind of tokenizer: byte-pair merges over bytes written as letters. @throws not-supported, model-file-damaged */
export function byteLevelTokenizer({ metadata, ids }: GgufVocabulary): TokenizerParts {
  const name = metadata.get("tokenizer.ggml.pre");
  const rule = typeof name === "string" && Object.hasOwn(rules, name) ? rules[name] : undefined;
  if (rule === undefined) {
    throw appError(
      "not-supported",
      `How the GGUF file's tokenizer splits text (tokenizer.ggml.pre: ${String(name).slice(0, 50)}) is not known here. ` +
        "Take the safetensors folder.",
    );
  }
  return {
    normalizer: rule.normalizer,
    pre_tokenizer: { type: "Sequence", pretokenizers: rule.pieces },
    decoder: byteLevel(true),
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: rule.ignoreMerges,
      vocab: Object.fromEntries(ids),
      merges: readMerges({ metadata, ids }),
    },
    addsFirst: rule.addsFirst,
  };
}

function readMerges({ metadata, ids }: Pick<GgufVocabulary, "metadata" | "ids">): string[] {
  const merges = metadataTexts(metadata, "tokenizer.ggml.merges");
  for (const merge of merges) {
    const [left = "", right = "", ...more] = merge.split(" ");
    if (more.length > 0 || !ids.has(left + right)) throw ggufDamaged("a merge makes no token");
  }
  return [...merges];
}

function byPattern(pattern: string): SplitRule {
  return { ...plain, pieces: [split(pattern), byteLevel(false)] };
}

function split(pattern: string): object {
  return { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false };
}

function byteLevel(useRegex: boolean): object {
  return { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: useRegex };
}
