import { TextTokenizer } from "../../../models/text/tokenizer.ts";

/** Byte-level BPE with no merges but a few: every byte is a token, special tokens come first. */
const special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] as const;

/** The characters that stand for bytes in byte-level vocabularies (GPT-2's table). */
function byteCharacters(): string[] {
  const printable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let others = 0;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCodePoint(printable(byte) ? byte : 256 + others++),
  );
}

export function tinyTokenizerFiles(): { tokenizer: object; config: object } {
  const bytes = byteCharacters();
  const merges = ["Y e", "Ye s", "N o", "Ġ t", "Ġt h", "Ġth e"];
  const pieces = [...special, ...bytes, ...merges.map((merge) => merge.replace(" ", ""))];
  return {
    tokenizer: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: special.map((content, id) => ({
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      })),
      normalizer: null,
      pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
      post_processor: null,
      decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: {
        type: "BPE",
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
        merges,
      },
    },
    config: { clean_up_tokenization_spaces: false, model_max_length: 8192 },
  };
}

export function tinyTokenizer(): TextTokenizer {
  const { tokenizer, config } = tinyTokenizerFiles();
  return new TextTokenizer(tokenizer, config);
}
