import type { TextTokenizer } from "./tokenizer.ts";

/** Stands for bytes that are no whole character (yet). */
const replacement = "\uFFFD";

/**
 * Text out of tokens as they come. A character whose bytes are spread over several tokens is held back until it is
 * whole, so that the pieces put together are the text of all tokens and no piece shows half a character.
 */
export class TokenStream {
  readonly #tokenizer: Pick<TextTokenizer, "decode">;
  #ids: number[] = [];
  /** Tokens before this one have been told and give context only: blanks depend on what stands before. */
  #told = 0;

  constructor(tokenizer: Pick<TextTokenizer, "decode">) {
    this.#tokenizer = tokenizer;
  }

  /** The text that `id` completes; often "", while a character is not whole. */
  push(id: number): string {
    this.#ids.push(id);
    const text = this.#fresh();
    if (text === "" || text.endsWith(replacement)) return "";
    this.#ids = this.#ids.slice(this.#told);
    this.#told = this.#ids.length;
    return text;
  }

  /** What is left at the end, broken characters as U+FFFD. */
  end(): string {
    const text = this.#fresh();
    this.#ids = [];
    this.#told = 0;
    return text;
  }

  #fresh(): string {
    const told = this.#tokenizer.decode(this.#ids.slice(0, this.#told));
    return this.#tokenizer.decode(this.#ids).slice(told.length);
  }
}
