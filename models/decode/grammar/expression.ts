import type { NumberRange } from "./number-range.ts";

/**
 * A regular language over bytes. Equal expressions of one `Expressions` are the same object, so that they serve as the
 * states of an automaton.
 */
export interface Expression {
  readonly id: number;
  readonly shape: Shape;
  /** Whether it holds the empty text. */
  readonly nullable: boolean;
  /** Bytes of its shortest text; Infinity where it has none. */
  readonly least: number;
}

type Shape =
  | { readonly type: "none" }
  | { readonly type: "empty" }
  /** One byte out of the ranges, ends included. */
  | { readonly type: "byte"; readonly ranges: readonly ByteRange[] }
  | { readonly type: "sequence"; readonly first: Expression; readonly rest: Expression }
  | { readonly type: "either"; readonly options: readonly Expression[] }
  | { readonly type: "repeat"; readonly each: Expression; readonly min: number; readonly max: number }
  | { readonly type: "number"; readonly range: NumberRange; readonly written: string };

export type ByteRange = readonly [low: number, high: number];

/** `min` to `max` times; Infinity is any number of times. */
interface Times {
  readonly min: number;
  readonly max: number;
}

/**
 * Makes expressions and takes their derivatives (Brzozowski 1964): the derivative by a byte is what may follow after
 * it. Counts stay numbers, so a text of at most 2,000 characters costs no 2,000 states until they are reached.
 */
export class Expressions {
  readonly #known = new Map<string, Expression>();
  readonly #ranges = new Map<NumberRange, number>();
  readonly #nearby = new Map<number, Expression>();
  readonly none = this.#make("0", { type: "none" }, [false, Infinity]);
  readonly empty = this.#make("1", { type: "empty" }, [true, 0]);

  byte(...ranges: readonly ByteRange[]): Expression {
    return this.#make(`b${ranges.join(";")}`, { type: "byte", ranges }, [false, 1]);
  }

  /** The text itself, in UTF-8. */
  text(text: string): Expression {
    return this.sequence(...Array.from(new TextEncoder().encode(text), (byte) => this.byte([byte, byte])));
  }

  sequence(...parts: readonly Expression[]): Expression {
    return parts.reduceRight((rest, first) => this.#pair(first, rest), this.empty);
  }

  either(...options: readonly Expression[]): Expression {
    const flat = options.flatMap((option) =>
      option.shape.type === "either" ? option.shape.options : option.shape.type === "none" ? [] : [option],
    );
    const unique = [...new Set(flat)].toSorted((a, b) => a.id - b.id);
    if (unique.length === 0) return this.none;
    if (unique.length === 1) return unique[0]!;
    const key = `e${unique.map(({ id }) => id).join()}`;
    return this.#make(key, { type: "either", options: unique }, [
      unique.some(({ nullable }) => nullable),
      Math.min(...unique.map(({ least }) => least)),
    ]);
  }

  optional(expression: Expression): Expression {
    return this.either(expression, this.empty);
  }

  /** `each` must not hold the empty text. */
  repeat(each: Expression, { min, max }: Times): Expression {
    if (max === 0) return this.empty;
    if (each === this.none) return min === 0 ? this.empty : this.none;
    const key = `r${each.id},${min},${max}`;
    return this.#make(key, { type: "repeat", each, min, max }, [min === 0, min * each.least]);
  }

  /** `written` is what stands already. */
  number(range: NumberRange, written = ""): Expression {
    const index = this.#ranges.get(range) ?? this.#ranges.size;
    this.#ranges.set(range, index);
    const key = `n${index}:${written}`;
    return (
      this.#known.get(key) ??
      this.#make(key, { type: "number", range, written }, [range.isWhole(written), range.least(written)])
    );
  }

  derivative({ shape }: Expression, byte: number): Expression {
    switch (shape.type) {
      case "none":
      case "empty":
        return this.none;
      case "byte":
        return shape.ranges.some(([low, high]) => byte >= low && byte <= high) ? this.empty : this.none;
      case "sequence": {
        const after = this.#pair(this.derivative(shape.first, byte), shape.rest);
        return shape.first.nullable ? this.either(after, this.derivative(shape.rest, byte)) : after;
      }
      case "either":
        return this.either(...shape.options.map((option) => this.derivative(option, byte)));
      case "repeat": {
        const { each, min, max } = shape;
        const others = this.repeat(each, { min: Math.max(0, min - 1), max: max - 1 });
        return this.#pair(this.derivative(each, byte), others);
      }
      case "number": {
        const written = shape.written + String.fromCharCode(byte);
        return shape.range.canBegin(written) ? this.number(shape.range, written) : this.none;
      }
    }
  }

  /**
   * The language with no more repetitions than `bytes`: which texts of at most as many bytes begin one of its texts is
   * the same, and many languages that differ in what is still to come become one.
   */
  near(expression: Expression, bytes: number): Expression {
    const { shape } = expression;
    const key = expression.id * 65_536 + bytes;
    const known = this.#nearby.get(key);
    if (known !== undefined) return known;
    const part = (one: Expression) => this.near(one, bytes);
    const made =
      shape.type === "sequence"
        ? this.#pair(part(shape.first), part(shape.rest))
        : shape.type === "either"
          ? this.either(...shape.options.map(part))
          : shape.type === "repeat"
            ? this.repeat(part(shape.each), {
                min: shape.min,
                max: Math.min(shape.max, Math.max(shape.min, bytes)),
              })
            : expression;
    this.#nearby.set(key, made);
    return made;
  }

  /** Nested to the right, so that equal languages that came about in different ways are mostly the same object. */
  #pair(first: Expression, rest: Expression): Expression {
    if (first === this.none || rest === this.none) return this.none;
    if (first === this.empty) return rest;
    if (rest === this.empty) return first;
    if (first.shape.type === "sequence") {
      return this.#pair(first.shape.first, this.#pair(first.shape.rest, rest));
    }
    const key = `s${first.id},${rest.id}`;
    return this.#make(key, { type: "sequence", first, rest }, [
      first.nullable && rest.nullable,
      first.least + rest.least,
    ]);
  }

  #make(key: string, shape: Shape, [nullable, least]: readonly [boolean, number]): Expression {
    const known = this.#known.get(key);
    if (known) return known;
    const made = { id: this.#known.size, shape, nullable, least };
    this.#known.set(key, made);
    return made;
  }
}
