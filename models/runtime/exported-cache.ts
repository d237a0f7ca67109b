import { appError } from "../../core/errors.ts";
import type { Cache, CachedTokens } from "./backend.ts";
import { zeros } from "./engine.ts";

export interface CacheValues {
  readonly values: Float32Array;
  readonly shape: readonly number[];
}

/** Keys and values of one sequence as an exported graph takes and gives them: [1, heads, tokens, headSize] each. */
export class ExportedCache implements Cache {
  /** Names of the inputs, `past_key_values.0.key` and so on. */
  readonly #names: readonly string[];
  readonly #heads: number;
  readonly #headSize: number;
  #parts: readonly Float32Array[];
  #length = 0;

  constructor(names: readonly string[], shape: { readonly heads: number; readonly headSize: number }) {
    this.#names = names;
    this.#heads = shape.heads;
    this.#headSize = shape.headSize;
    this.#parts = names.map(() => new Float32Array(0));
  }

  get length(): number {
    return this.#length;
  }

  truncate(length: number): void {
    const kept = Math.min(this.#length, Math.max(0, length));
    if (kept === this.#length) return;
    this.#parts = this.#parts.map((part) => this.#cut(part, 0, kept));
    this.#length = kept;
  }

  copy(from: number, to: number): CachedTokens | null {
    if (from < 0 || to <= from || to > this.#length) return null;
    return { from, tokens: to - from, parts: this.#parts.map((part) => this.#cut(part, from, to)) };
  }

  append({ from, tokens, parts }: CachedTokens): void {
    if (from !== this.#length) throw appError("model-failed", "Kept tokens were put in another place.");
    const total = from + tokens;
    this.#parts = this.#parts.map((held, index) => {
      const values = zeros(this.#heads * total * this.#headSize);
      this.#place(values, { part: held, tokens: from, at: 0, total });
      this.#place(values, { part: parts[index]!, tokens, at: from, total });
      return values;
    });
    this.#length = total;
  }

  /** What a run is given, by input. */
  past(): Map<string, CacheValues> {
    const shape = [1, this.#heads, this.#length, this.#headSize];
    return new Map(this.#names.map((name, i) => [name, { values: this.#parts[i] as Float32Array, shape }]));
  }

  /** Room for what a run over `tokens` more gives, by output. */
  next(tokens: number): Map<string, CacheValues> {
    const total = this.#length + tokens;
    const shape = [1, this.#heads, total, this.#headSize];
    return new Map(
      this.#names.map((name) => [
        name.replace("past_key_values.", "present."),
        { values: zeros(this.#heads * total * this.#headSize), shape },
      ]),
    );
  }

  /** Goes on with what a run has filled. */
  take(made: ReadonlyMap<string, CacheValues>, length: number): void {
    this.#parts = [...made.values()].map(({ values }) => values);
    this.#length = length;
  }

  async dispose(): Promise<void> {
    this.#parts = this.#names.map(() => new Float32Array(0));
    this.#length = 0;
  }

  #cut(part: Float32Array, from: number, to: number): Float32Array {
    const tokens = to - from;
    const values = zeros(this.#heads * tokens * this.#headSize);
    for (let head = 0; head < this.#heads; head += 1) {
      const start = (head * this.#length + from) * this.#headSize;
      values.set(part.subarray(start, start + tokens * this.#headSize), head * tokens * this.#headSize);
    }
    return values;
  }

  #place(
    values: Float32Array,
    {
      part,
      tokens,
      at,
      total,
    }: { part: CachedTokens["parts"][number]; tokens: number; at: number; total: number },
  ): void {
    for (let head = 0; head < this.#heads; head += 1) {
      const own = part.subarray(head * tokens * this.#headSize, (head + 1) * tokens * this.#headSize);
      values.set(own, (head * total + at) * this.#headSize);
    }
  }
}
