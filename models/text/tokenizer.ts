import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { appError } from "../../core/errors.ts";
import { tokenBytes } from "./token-bytes.ts";
import { TokenTrie } from "./token-trie.ts";

/** A token of a text with the part of the text that it stands for. */
export interface TextToken {
  readonly id: number;
  /** UTF-16 offsets, end exclusive. Bytes of one character that are spread over tokens belong to the last of them. */
  readonly start: number;
  readonly end: number;
}

/** The tokenizer of a pack, from its tokenizer.json and tokenizer_config.json. */
export class TextTokenizer {
  readonly #tokenizer: HuggingFaceTokenizer;
  readonly #special: readonly string[];
  readonly #decoder: unknown;
  #trie: TokenTrie | null = null;

  /** @throws pack-damaged */
  constructor(tokenizer: object, config: object) {
    try {
      this.#tokenizer = new HuggingFaceTokenizer(tokenizer, config);
    } catch (cause) {
      throw appError(
        "pack-damaged",
        "The tokenizer of the model pack cannot be read. Install the pack again.",
        cause,
      );
    }
    this.#decoder = "decoder" in tokenizer ? tokenizer.decoder : null;
    this.#special = [...this.#tokenizer.get_added_tokens_decoder().values()]
      .map((token) => token.content)
      .filter((content) => content.length > 1)
      .toSorted((a, b) => b.length - a.length);
  }

  /** Token ids of a text in which special tokens stand as they are written; nothing is added at either end. */
  encode(text: string): number[] {
    return text === "" ? [] : this.#tokenizer.encode(text, { add_special_tokens: false }).ids;
  }

  decode(ids: readonly number[]): string {
    if (ids.length === 0) return "";
    return this.#tokenizer.decode([...ids], {
      skip_special_tokens: true,
      clean_up_tokenization_spaces: false,
    });
  }

  /** The vocabulary by what its tokens add to a text; made when it is first asked for. @throws not-supported */
  get trie(): TokenTrie {
    if (this.#trie !== null) return this.#trie;
    const added = this.#tokenizer.get_added_tokens_decoder();
    const entries = [...this.#tokenizer.get_vocab()].flatMap(([text, id]) => {
      const token = added.get(id);
      // Ids without a token leave holes in the list.
      if (typeof text !== "string") return [];
      return [{ id, text, added: token !== undefined, special: token?.special ?? false }];
    });
    this.#trie = new TokenTrie(tokenBytes(entries, this.#decoder));
    return this.#trie;
  }

  /** Whether a blank that begins a text is the tokenizer's own, as with the SentencePiece family: it is not shown. */
  get dropsFirstBlank(): boolean {
    const blank = this.trie.bytes.findIndex(
      (bytes) => bytes !== null && bytes[0] === 0x20 && bytes.length > 1,
    );
    return blank >= 0 && !this.decode([blank]).startsWith(" ");
  }

  /** The id of a token given by its text, or null. */
  idOf(token: string): number | null {
    return this.#tokenizer.token_to_id(token) ?? null;
  }

  /**
   * Text of a user in which no special token is left, whatever was typed: a blank behind the first character breaks
   * it. Without this a question could end its own turn and speak as the system.
   */
  withoutSpecialTokens(text: string, others: readonly string[] = []): string {
    let safe = text;
    for (const token of [...others, ...this.#special]) {
      safe = safe.replaceAll(token, `${token.slice(0, 1)} ${token.slice(1)}`);
    }
    return safe;
  }

  /**
   * The tokens of `text` where it follows `prefix`, as the model would have said them, with offsets into `text`;
   * `before` are the ids of the prefix. A token that reaches from prefix into text counts as the text's.
   */
  encodeAfter(prefix: string, text: string): { before: number[]; tokens: TextToken[] } {
    const all = this.encode(prefix + text);
    const before = this.encode(prefix);
    let first = 0;
    while (first < before.length && before[first] === all[first]) first += 1;
    const ends = this.#ends(all, prefix + text);
    const at = (end: number) => Math.min(Math.max(end - prefix.length, 0), text.length);
    const tokens = all.slice(first).map((id, index) => ({
      id,
      start: at(first + index === 0 ? 0 : ends[first + index - 1]!),
      end: at(ends[first + index]!),
    }));
    return { before: all.slice(0, first), tokens };
  }

  /** Where each token ends in the text: the longest beginning of the text that the tokens so far decode to. */
  #ends(ids: readonly number[], text: string): number[] {
    let last = 0;
    return ids.map((_, index) => {
      const decoded = this.decode(ids.slice(0, index + 1));
      // Tokenizers of the SentencePiece family drop or add a blank at the start.
      const shift = text.startsWith(" ") && !decoded.startsWith(" ") ? 1 : 0;
      const end = commonLength(decoded, text.slice(shift)) + shift;
      if (index === ids.length - 1) last = text.length;
      else if (end > last) last = end;
      return last;
    });
  }
}

function commonLength(a: string, b: string): number {
  const limit = Math.min(a.length, b.length);
  let length = 0;
  while (length < limit && a[length] === b[length]) length += 1;
  return length;
}
