import { ggufDamaged } from "./gguf-header.ts";
import { metadataNumbers, tokenType, type GgufVocabulary, type TokenizerParts } from "./gguf-vocabulary.ts";

/** SentencePiece writes a blank so. */
const blank = "\u2581";

/** A piece has some letters; lengths that only a forged file has would make the search for merges endless. */
const pieceLimit = 1024;
const lettersLimit = 16 * 1024 * 1024;

/**
 * SentencePiece's byte-pair kind (Llama 2, Mistral 7B, EuroLLM): pieces with scores, no list of merges. Two neighbours
 * that make a piece are joined, the best score first, which is a merge for every way a piece is made of two others.
 * @throws model-file-damaged
 */
export function sentencePieceTokenizer(vocabulary: GgufVocabulary): TokenizerParts {
  const { metadata, ids, tokens, types } = vocabulary;
  const prefix = metadata.get("tokenizer.ggml.add_space_prefix") !== false;
  const unknown = types.indexOf(tokenType.unknown);
  return {
    normalizer: {
      type: "Sequence",
      normalizers: [
        ...(prefix ? [{ type: "Prepend", prepend: blank }] : []),
        { type: "Replace", pattern: { String: " " }, content: blank },
      ],
    },
    pre_tokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: blank }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...(prefix ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: tokens[unknown] ?? null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: types.includes(tokenType.byte),
      ignore_merges: false,
      vocab: Object.fromEntries(ids),
      merges: mergesOf(vocabulary),
    },
    addsFirst: true,
  };
}

interface Merge {
  readonly left: string;
  readonly right: string;
  readonly score: number;
}

function mergesOf({ metadata, tokens, types }: GgufVocabulary): [string, string][] {
  const scores = metadataNumbers(metadata, "tokenizer.ggml.scores", tokens.length);
  const joined: readonly (number | undefined)[] = [tokenType.normal, tokenType.userDefined, tokenType.unused];
  const pieces = new Set(tokens.filter((_, id) => joined.includes(types[id])));
  checkLengths(pieces);
  const merges: Merge[] = [];
  for (const [id, piece] of tokens.entries()) {
    if (!pieces.has(piece)) continue;
    for (let cut = piece.length - 1; cut > 0; cut--) {
      const left = piece.slice(0, cut);
      const right = piece.slice(cut);
      if (pieces.has(left) && pieces.has(right)) merges.push({ left, right, score: scores[id] as number });
    }
  }
  return merges.toSorted((a, b) => b.score - a.score).map(({ left, right }) => [left, right]);
}

function checkLengths(pieces: ReadonlySet<string>): void {
  let letters = 0;
  for (const { length } of pieces) {
    letters += length;
    if (length > pieceLimit || letters > lettersLimit)
      throw ggufDamaged("its tokenizer has pieces longer than they can be");
  }
}
