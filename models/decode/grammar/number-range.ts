import { appError } from "../../../core/errors.ts";

/** Digits before the point: what a double holds exactly as a whole number. */
const wholeDigits = 15;
/** Digits behind the point, where the bounds themselves have no more. */
const usualDigits = 6;

export interface NumberBounds {
  readonly integer: boolean;
  /** Null: none. */
  readonly low: { readonly value: number; readonly excluded: boolean } | null;
  readonly high: { readonly value: number; readonly excluded: boolean } | null;
}

type Interval = readonly [low: bigint, high: bigint];

/**
 * The decimal numbers of a range as JSON writes them: without exponent, leading zeros or a negative zero, with at most
 * 15 digits before the point. They are counted in units of the last digit, so that no rounding lets a number slip out.
 */
export class NumberRange {
  readonly #fraction: number;
  readonly #low: bigint;
  readonly #high: bigint;
  readonly #least = new Map<string, number>();

  /** @throws bad-input where there is no such number */
  constructor({ integer, low, high }: NumberBounds) {
    const digits = [low, high].map((bound) =>
      bound === null ? 0 : -Math.min(0, decimalOf(bound.value).exponent),
    );
    this.#fraction = integer ? 0 : Math.min(wholeDigits, Math.max(usualDigits, ...digits));
    const most = 10n ** BigInt(wholeDigits + this.#fraction) - 1n;
    const lowest = low === null ? -most : inUnits(low.value, this.#fraction, "up");
    const highest = high === null ? most : inUnits(high.value, this.#fraction, "down");
    this.#low = larger(
      -most,
      lowest + (low?.excluded === true && lowest === exact(low.value, this.#fraction) ? 1n : 0n),
    );
    this.#high = smaller(
      most,
      highest - (high?.excluded === true && highest === exact(high.value, this.#fraction) ? 1n : 0n),
    );
    if (this.#low > this.#high) {
      throw appError("bad-input", "The bounds of a number in the schema leave no number.");
    }
  }

  /** Whether a number of the range begins like this. */
  canBegin(written: string): boolean {
    const parts = /^(-?)(0|[1-9]\d*)?(?:(\.)(\d*))?$/.exec(written);
    if (parts === null) return false;
    const [, sign = "", whole = "", point = "", fraction = ""] = parts;
    if (whole.length > wholeDigits || fraction.length > this.#fraction) return false;
    if (point !== "" && (whole === "" || this.#fraction === 0)) return false;
    const reach = point === "" ? this.#beforePoint(whole) : [this.#behindPoint(whole, fraction)];
    // A negative zero is none of the numbers.
    const signed = (interval: Interval): Interval[] =>
      sign === "-"
        ? [[-interval[1], -larger(1n, interval[0])]]
        : written === ""
          ? [interval, [-interval[1], -interval[0]]]
          : [interval];
    return reach.flatMap(signed).some(([low, high]) => larger(low, this.#low) <= smaller(high, this.#high));
  }

  /** Whether this is a number of the range. */
  isWhole(written: string): boolean {
    if (!/^-?\d+(?:\.\d+)?$/.test(written) || !this.canBegin(written)) return false;
    const [whole = "", fraction = ""] = written.replace("-", "").split(".");
    const [units] = this.#behindPoint(whole, fraction);
    const value = written.startsWith("-") ? -units : units;
    return value >= this.#low && value <= this.#high && (value !== 0n || !written.startsWith("-"));
  }

  /** Characters that are missing at least until this is a number of the range; Infinity where it cannot become one. */
  least(written: string): number {
    const known = this.#least.get(written);
    if (known !== undefined) return known;
    let open = this.canBegin(written) ? [written] : [];
    for (let missing = 0; open.length > 0; missing += 1) {
      if (open.some((one) => this.isWhole(one))) {
        this.#least.set(written, missing);
        return missing;
      }
      open = open
        .flatMap((one) => [..."-.0123456789"].map((next) => one + next))
        .filter((one) => this.canBegin(one));
    }
    return Infinity;
  }

  /** What whole numbers that begin with these digits, and anything behind their point, can be. */
  #beforePoint(whole: string): Interval[] {
    const unit = 10n ** BigInt(this.#fraction);
    if (whole === "") return [[0n, 10n ** BigInt(wholeDigits) * unit - 1n]];
    const first = BigInt(whole);
    // Nothing follows a zero.
    const more = whole === "0" ? 0 : wholeDigits - whole.length;
    return Array.from({ length: more + 1 }, (_, digits): Interval => {
      const size = 10n ** BigInt(digits) * unit;
      return [first * size, (first + 1n) * size - 1n];
    });
  }

  #behindPoint(whole: string, fraction: string): Interval {
    const size = 10n ** BigInt(this.#fraction - fraction.length);
    const first = BigInt(whole + fraction) * size;
    return [first, first + size - 1n];
  }
}

/** units × 10^exponent: the shortest decimal that is read as this double. */
function decimalOf(value: number): { units: bigint; exponent: number } {
  const [digits = "0", power = "0"] = value.toExponential().split("e");
  const [whole = "0", fraction = ""] = digits.split(".");
  return { units: BigInt(whole + fraction), exponent: Number(power) - fraction.length };
}

/** The whole number of units of 10^-digits next to the value, on the side that is said. */
function inUnits(value: number, digits: number, side: "up" | "down"): bigint {
  const { units, exponent } = decimalOf(value);
  const shift = exponent + digits;
  if (shift >= 0) return units * 10n ** BigInt(shift);
  const size = 10n ** BigInt(-shift);
  const below = units / size - (units < 0n && units % size !== 0n ? 1n : 0n);
  return side === "down" || units % size === 0n ? below : below + 1n;
}

/** The value in these units, or null where it lies between two. */
function exact(value: number, digits: number): bigint | null {
  const low = inUnits(value, digits, "down");
  return low === inUnits(value, digits, "up") ? low : null;
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
