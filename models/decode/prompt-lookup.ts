/** Tokens that must agree before what followed them is taken for a guess. */
const agreeing = [4, 3] as const;
/** Tokens guessed at most: a run over more costs more than its last tokens bring. */
const longest = 8;
/** Guessed tokens after which it shows whether guessing is worth it here. */
const trial = 12;
/** Of the guessed tokens this share must be right: each costs about a sixth of a step, a right one saves a whole one. */
const worthwhile = 0.3;

/**
 * Guesses what is said next from what stands in the prompt or was said already: where the last tokens stood before,
 * what followed them then (prompt lookup, Saxena 2023). Where the guesses are wrong it falls silent for the answer.
 */
export class PromptLookup {
  readonly #ids: number[];
  /** By the tokens that agree: where what followed them last begins. */
  readonly #places = new Map<string, number>();
  #length = 2;
  #guessed = 0;
  #right = 0;

  /** `prompt`: token ids; what is no token (an image) is NaN. */
  constructor(prompt: readonly number[]) {
    this.#ids = [];
    for (const id of prompt) this.push(id);
  }

  /** Whether guesses are still made. */
  get isActive(): boolean {
    return this.#guessed < trial || this.#right >= worthwhile * this.#guessed;
  }

  get counts(): { readonly guessed: number; readonly right: number } {
    return { guessed: this.#guessed, right: this.#right };
  }

  /** A token that was read or said. */
  push(id: number): void {
    // What followed is known now: the tokens before this one lead to it.
    for (const count of agreeing) {
      const key = this.#lastKey(count);
      if (key !== null) this.#places.set(key, this.#ids.length);
    }
    this.#ids.push(id);
  }

  /** At most `room` tokens that may follow; none where nothing agrees. */
  guess(room: number): number[] {
    if (!this.isActive) return [];
    for (const count of agreeing) {
      const key = this.#lastKey(count);
      const place = key === null ? undefined : this.#places.get(key);
      if (place === undefined) continue;
      const found = this.#ids.slice(place, place + Math.min(this.#length, room));
      const end = found.findIndex((id) => Number.isNaN(id));
      return end < 0 ? found : found.slice(0, end);
    }
    return [];
  }

  /** How many of the guessed tokens were said. */
  judge(guessed: number, right: number): void {
    if (guessed === 0) return;
    this.#guessed += guessed;
    this.#right += right;
    this.#length = right === guessed ? Math.min(longest, guessed * 2) : Math.max(2, right);
  }

  #lastKey(count: number): string | null {
    const last = this.#ids.slice(-count);
    return last.length < count || last.some((id) => Number.isNaN(id)) ? null : last.join();
  }
}
