import type { Expression, Expressions } from "./expression.ts";

/** No text goes on from here. */
export const dead = 0;

const unknown = -1;

/** A deterministic automaton over bytes whose states and transitions are made as they are reached. */
export class Automaton {
  readonly start: number;
  readonly #make: Expressions;
  readonly #states: Expression[] = [];
  readonly #rows: Int32Array[] = [];
  readonly #known = new Map<Expression, number>();

  constructor(make: Expressions, language: Expression) {
    this.#make = make;
    this.#stateOf(make.none);
    this.start = this.#stateOf(language);
  }

  step(state: number, byte: number): number {
    const row = this.#rows[state]!;
    const next = row[byte]!;
    if (next !== unknown) return next;
    const made = this.#stateOf(this.#make.derivative(this.#states[state]!, byte));
    row[byte] = made;
    return made;
  }

  /** Whether what was read so far is a whole text. */
  accepts(state: number): boolean {
    return this.#states[state]!.nullable;
  }

  /** Whether it is one and nothing may follow. */
  ends(state: number): boolean {
    return this.#states[state] === this.#make.empty;
  }

  /** Bytes that are missing at least until a whole text was read. */
  least(state: number): number {
    return this.#states[state]!.least;
  }

  /** A state from which the same texts of at most `bytes` bytes lead on, with as many bytes missing after them. */
  near(state: number, bytes: number): number {
    return this.#stateOf(this.#make.near(this.#states[state]!, bytes));
  }

  #stateOf(expression: Expression): number {
    const known = this.#known.get(expression);
    if (known !== undefined) return known;
    const state = this.#states.length;
    this.#states.push(expression);
    this.#rows.push(new Int32Array(256).fill(unknown));
    this.#known.set(expression, state);
    return state;
  }
}
